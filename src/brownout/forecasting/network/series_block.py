"""Series block: many series of any length in one flat array, read by index arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from brownout.domain.errors import DataError
from brownout.domain.metrics import Family, Role
from brownout.domain.panel import Panel

__all__ = ["FAMILIES", "ROLES", "SIBLING_METRICS", "SeriesBlock", "block_of"]

FAMILIES = tuple(Family)
"""Order of the family embedding; stored with every model."""
ROLES = tuple(Role)
"""Order of the role embedding; stored with every model."""
SIBLING_METRICS = tuple((family, nth) for family in FAMILIES if family is not Family.OTHER for nth in (0, 1))
"""Which other series of the same entity the network reads with a series: the first two metrics of each resource."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesBlock:
    """Series one after the other in one float32 array.

    Attributes
    ----------
    values
        float32 ``[1 + slots of all series]``; the first is NaN, which everything outside a series reads.
    offset, length
        int64 ``[series]``: where a series begins in ``values`` and how many slots it has.
    first, last
        int64 ``[series]``: its first and last measured slot.
    clock, interval
        int64 ``[series]``: seconds since the epoch of its first slot, and between two.
    season
        int64 ``[series]``: slots of the short season.
    family, role
        int64 ``[series]``: index into ``FAMILIES`` and ``ROLES``.
    lower, upper
        float32 ``[series]``: valid range.
    siblings
        int64 ``[series, len(SIBLING_METRICS)]``: series of the same entity, itself among them; -1 = no such metric.
    error
        float32 ``[series]``: in-sample mean absolute error of seasonal-naive, the unit of MASE; NaN where unknown.
    """

    values: Tensor
    offset: Tensor
    length: Tensor
    first: Tensor
    last: Tensor
    clock: Tensor
    interval: Tensor
    season: Tensor
    family: Tensor
    role: Tensor
    lower: Tensor
    upper: Tensor
    siblings: Tensor
    error: Tensor

    def __len__(self) -> int:
        return len(self.offset)

    def to(self, device: torch.device) -> "SeriesBlock":
        """The same series in the memory of a device; itself where they are there already."""
        if self.values.device.type == device.type:
            return self
        return SeriesBlock(**{column.name: getattr(self, column.name).to(device) for column in fields(self)})

    def take(self, rows: Tensor, slots: Tensor) -> Tensor:
        """Values of slots ``[row, step]``, counted within each row's series; NaN outside of it."""
        inside = (slots >= 0) & (slots < self.length[rows, None])
        return self.values[torch.where(inside, slots + self.offset[rows, None], 0)]


def block_of(panels: Sequence[Panel], season: int | None = None) -> SeriesBlock:
    """All series of the panels that have a value; raises DataError where none has.

    Measurements are copied once, into the one array of the block.
    """
    measured = [np.asarray(np.isfinite(panel.values).any(axis=1), np.bool_) for panel in panels]
    sizes = [int(known.sum()) * panel.values.shape[1] for known, panel in zip(measured, panels, strict=True)]
    values = np.full(1 + sum(sizes), np.nan, np.float32)
    facts, bounds, siblings, errors = [], [], [], []
    filled, series = 1, 0
    for panel, known, size in zip(panels, measured, sizes, strict=True):
        if not size:
            continue
        entities, metrics = np.nonzero(known)
        part = values[filled : filled + size].reshape(len(entities), -1)
        part[:] = panel.values.transpose(0, 2, 1)[entities, metrics]
        facts.append(_facts(panel, part, metrics, season or panel.slots_per_day))
        bounds.append(np.array([(m.lower, m.upper) for m in panel.metrics], np.float32)[metrics])
        siblings.append(_siblings(panel, known, series)[entities])
        errors.append(_seasonal_error(part, season or panel.slots_per_day))
        filled, series = filled + size, series + len(entities)
    if not series:
        raise DataError("There is no measured series to learn from.", remedy="Give data with at least one value.")
    length, first, last, clock, interval, lag, family, role = torch.from_numpy(np.concatenate(facts)).unbind(1)
    lower, upper = torch.from_numpy(np.concatenate(bounds)).unbind(1)
    offset = 1 + torch.cumsum(length, 0) - length
    error, others = torch.from_numpy(np.concatenate(errors)), torch.from_numpy(np.concatenate(siblings))
    return SeriesBlock(
        values=torch.from_numpy(values),
        offset=offset,
        length=length,
        first=first,
        last=last,
        clock=clock,
        interval=interval,
        season=lag,
        family=family,
        role=role,
        lower=lower,
        upper=upper,
        siblings=others,
        error=error,
    )


def _facts(panel: Panel, values: np.ndarray, metrics: np.ndarray, season: int) -> np.ndarray:
    """Slots, first and last measured one, start, interval, season, family and role of ``values [series, slot]``."""
    slots = values.shape[1]
    present = np.isfinite(values)
    facts = np.empty((len(values), 8), np.int64)
    facts[:, 0] = slots
    facts[:, 1] = present.argmax(axis=1)
    facts[:, 2] = slots - 1 - present[:, ::-1].argmax(axis=1)
    facts[:, 3] = int(panel.start.astype("datetime64[s]").astype(np.int64))
    facts[:, 4] = panel.interval_s
    facts[:, 5] = season
    facts[:, 6] = np.array([FAMILIES.index(metric.family) for metric in panel.metrics], np.int64)[metrics]
    facts[:, 7] = np.array([ROLES.index(metric.role) for metric in panel.metrics], np.int64)[metrics]
    return facts


def _seasonal_error(series: np.ndarray, season: int) -> np.ndarray:
    """Mean absolute change over a season of each of ``[series, slot]``."""
    misses = np.abs(series[:, season:] - series[:, :-season]) if series.shape[1] > season else series[:, :0]
    seen = np.isfinite(misses)
    count = seen.sum(axis=1)
    total = np.where(seen, misses, 0).sum(axis=1, dtype=np.float64)
    error: np.ndarray = np.divide(total, count, out=np.full(len(series), np.nan), where=count > 0)
    return error.astype(np.float32)


def _siblings(panel: Panel, measured: np.ndarray, before: int) -> np.ndarray:
    """Number of each sibling series ``[entity, sibling metric]``, from ``before`` on in the order entity, metric."""
    numbers = np.cumsum(measured.reshape(-1)).reshape(measured.shape) - 1 + before
    siblings = np.full((len(panel.entities), len(SIBLING_METRICS)), -1, np.int64)
    for column, (family, nth) in enumerate(SIBLING_METRICS):
        of_family = measured & np.array([metric.family is family for metric in panel.metrics], bool)
        chosen = of_family & (of_family.cumsum(axis=1) == nth + 1)
        number = numbers[np.arange(len(numbers)), chosen.argmax(axis=1)]
        siblings[:, column] = np.where(chosen.any(axis=1), number, -1)
    return siblings
