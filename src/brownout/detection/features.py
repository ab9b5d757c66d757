"""Features of an entity at a slot: how far its metrics are from what is expected, at several scales, each named."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from brownout.detection.context import block_factor, deviations, expect
from brownout.domain.panel import Float, Panel

__all__ = ["FEATURES", "Features", "entity_features"]

SCALES_S = (0, 900, 3600)
"""Deviations of the sample itself and of means over a quarter of an hour and an hour."""
MEMORY = 20_000
"""Most slots that the usual scatter is measured on."""
UNIT_FLOORS = {"%": 0.3, "ms": 0.3}
"""Least scatter of a unit: a third of a percent point or of a millisecond is nobody's incident."""
NAMES = ("now", "quarter", "hour", "step")
REDUCTIONS = ("largest", "third", "mean")
FEATURES = tuple(f"{name}_{reduction}" for name in NAMES for reduction in REDUCTIONS)
"""Columns of the forest, e.g. ``quarter_largest``: the largest deviation over metrics of the quarter-hour mean."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of all slots.

    ``rows`` is float32 ``[entity, time, feature]``, NaN where nothing was measured; ``deviations`` those of the
    quarter of an hour.
    """

    rows: Float
    deviations: Float


def entity_features(panel: Panel, start: int = 0) -> Features:
    """Features of the slots from ``start`` on; every one looks back only."""
    factor = block_factor(panel)
    blocks = panel.coarsen(factor)
    expectation = expect(blocks)
    worse = tuple(metric.worse for metric in panel.metrics)
    offset = int((panel.start - blocks.start) // panel.step)
    block = (np.arange(start, panel.values.shape[1]) + offset) // factor
    noise = _noise(panel, start)
    layers, quarter = [], None
    for scale in SCALES_S:
        width = max(scale // panel.interval_s, 1)
        means = _trailing_mean(panel.values, width)[:, start:]
        layer = deviations(means, expectation, block, noise / np.sqrt(width), worse)
        layers.append(layer)
        quarter = layer if quarter is None or scale == SCALES_S[1] else quarter
    width = max(SCALES_S[1] // panel.interval_s, 1)
    before = np.full_like(layers[1], np.nan)
    before[:, width:] = layers[1][:, :-width]
    layers.append(np.nan_to_num(layers[1] - before) + 0 * layers[1])
    rows = np.concatenate([_reduce(np.abs(layer)) for layer in layers], axis=-1)
    return Features(np.log1p(rows).astype(np.float32), layers[1])


def _reduce(layer: Float) -> Float:
    """Largest, third largest and mean over metrics: ``[entity, time, 3]``; an entity with fewer metrics has zeros."""
    known = np.where(np.isfinite(layer), layer, -1.0)
    count = (known >= 0).sum(axis=-1)
    third = min(3, known.shape[-1])
    top = np.partition(known, known.shape[-1] - third, axis=-1)[..., -third:]
    largest = top.max(axis=-1)
    lesser = np.where(known.shape[-1] >= 3, top.min(axis=-1), 0)
    mean = np.where(known >= 0, known, 0).sum(axis=-1) / np.maximum(count, 1)
    reduced = np.stack([largest, np.maximum(lesser, 0), mean], axis=-1)
    reduced[count == 0] = np.nan
    return reduced.astype(np.float32)


def _trailing_mean(values: Float, width: int) -> Float:
    """Mean of what was measured in the last ``width`` slots; NaN where the slot itself is a gap."""
    if width == 1:
        return values
    seen = np.isfinite(values)
    origin = (width - 1) // 2 if width % 2 else width // 2 - 1
    total = uniform_filter1d(
        np.where(seen, values, 0).astype(np.float64), width, axis=1, mode="constant", origin=origin
    )
    share = uniform_filter1d(seen.astype(np.float64), width, axis=1, mode="constant", origin=origin)
    means: Float = np.where(seen, total / np.maximum(share, 1e-9), np.nan).astype(np.float32)
    return means


def _noise(panel: Panel, start: int) -> Float:
    """Usual scatter from slot to slot before ``start``, ``[entity, metric]``; the floor of the unit at least.

    The root mean square of changes, each counted as at most five times the mean one: a series that is zero most of the
    time keeps the scatter of its rare values, and an incident of the past does not widen it much.
    """
    past = panel.values[:, : max(start, min(panel.values.shape[1], 64))]
    changes = np.abs(np.diff(past[:, -MEMORY:], axis=1))
    seen = np.isfinite(changes)
    count = np.maximum(seen.sum(axis=1), 1)
    changes = np.where(seen, changes, 0)
    mean = changes.sum(axis=1) / count
    clipped = np.minimum(changes, 5 * mean[:, None] + np.quantile(changes, 0.99, axis=1, keepdims=False)[:, None])
    scatter = np.sqrt((clipped**2).sum(axis=1) / count / 2)
    floor = np.array([UNIT_FLOORS.get(metric.unit, 0.0) for metric in panel.metrics])
    floored: Float = np.maximum(scatter, floor).astype(np.float32)
    return floored
