"""Many series of any length in one flat array, read by index arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from brownout.domain.errors import DataError
from brownout.domain.metrics import Family, Role
from brownout.domain.panel import Panel

__all__ = ["FAMILIES", "MATES", "ROLES", "SeriesBlock", "block_of"]

FAMILIES = tuple(Family)
"""Order of the family embedding; stored with every model."""
ROLES = tuple(Role)
"""Order of the role embedding; stored with every model."""
MATES = tuple((family, nth) for family in FAMILIES if family is not Family.OTHER for nth in (0, 1))
"""Which other series of an entity the network sees beside one of them: the first two metrics of each resource."""


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
        int64 ``[series, len(MATES)]``: series of the same entity (itself among them); -1 where it has no such metric.
    error
        float32 ``[series]``: mean absolute error of seasonal-naive, the unit of MASE; NaN where unknown.
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
    """All series of the panels that have a value; raises DataError where none has."""
    values: list[np.ndarray] = [np.full(1, np.nan, np.float32)]
    facts: list[np.ndarray] = []
    bounds: list[np.ndarray] = []
    siblings: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    for panel in panels:
        series = panel.values.transpose(0, 2, 1)
        present = np.isfinite(series)
        measured = np.asarray(present.any(axis=2), np.bool_)
        entities, metrics = np.nonzero(measured)
        alive, slots = present[entities, metrics], series.shape[2]
        values.append(series[entities, metrics].reshape(-1))
        row = np.empty((len(entities), 8), np.int64)
        row[:, 0] = slots
        row[:, 1] = alive.argmax(axis=1)
        row[:, 2] = slots - 1 - alive[:, ::-1].argmax(axis=1)
        row[:, 3] = int(panel.start.astype("datetime64[s]").astype(np.int64))
        row[:, 4] = panel.interval_s
        row[:, 5] = season or panel.slots_per_day
        row[:, 6] = np.array([FAMILIES.index(metric.family) for metric in panel.metrics], np.int64)[metrics]
        row[:, 7] = np.array([ROLES.index(metric.role) for metric in panel.metrics], np.int64)[metrics]
        siblings.append(_mates(panel, measured, sum(map(len, facts)))[entities])
        errors.append(_seasonal_error(values[-1].reshape(-1, slots), season or panel.slots_per_day))
        facts.append(row)
        bounds.append(np.array([(m.lower, m.upper) for m in panel.metrics], np.float32).reshape(-1, 2)[metrics])
    columns = torch.from_numpy(np.concatenate(facts)) if facts else torch.empty((0, 8), dtype=torch.int64)
    if not len(columns):
        raise DataError("There is no measured series to learn from.", remedy="Give data with at least one value.")
    length, first, last, clock, interval, lag, family, role = columns.unbind(1)
    lower, upper = torch.from_numpy(np.concatenate(bounds)).unbind(1)
    offset = 1 + torch.cumsum(length, 0) - length
    flat = torch.from_numpy(np.concatenate(values))
    error = torch.from_numpy(np.concatenate(errors))
    others = torch.from_numpy(np.concatenate(siblings))
    return SeriesBlock(
        flat, offset, length, first, last, clock, interval, lag, family, role, lower, upper, others, error
    )


def _seasonal_error(series: np.ndarray, season: int) -> np.ndarray:
    """Mean absolute change over a season of each of ``[series, slot]``."""
    misses = np.abs(series[:, season:] - series[:, :-season]) if series.shape[1] > season else series[:, :0]
    seen = np.isfinite(misses)
    count = seen.sum(axis=1)
    total = np.where(seen, misses, 0).sum(axis=1, dtype=np.float64)
    error: np.ndarray = np.divide(total, count, out=np.full(len(series), np.nan), where=count > 0)
    return error.astype(np.float32)


def _mates(panel: Panel, measured: np.ndarray, before: int) -> np.ndarray:
    """Series ``[entity, mate]`` counted from ``before``, in the order entity, metric of those ``measured``."""
    places = np.cumsum(measured.reshape(-1)).reshape(measured.shape) - 1 + before
    found = np.full((len(panel.entities), len(MATES)), -1, np.int64)
    for column, (family, nth) in enumerate(MATES):
        of_family = measured & np.array([metric.family is family for metric in panel.metrics], bool)
        chosen = of_family & (of_family.cumsum(axis=1) == nth + 1)
        found[:, column] = np.where(chosen.any(axis=1), places[np.arange(len(places)), chosen.argmax(axis=1)], -1)
    return found
