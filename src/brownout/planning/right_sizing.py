"""Sizes of guests: down by the upper projection of their days, up by the mean one.

The busiest half hour of each day is one draw; the largest of the next thirty is projected by Gumbel's law for maxima.
A guest is made smaller only where its days are alike, by half at most, and with a reserve: what nobody could foresee
must not cost it its work. It is made larger where its usual day fills it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import Entity, EntityKind
from brownout.domain.findings.capacity_plan import Resource, SizeAdvice
from brownout.domain.panel import Doubles, Panel
from brownout.planning.sizes import cpus_of, memory_gib_of

__all__ = ["HALF_HOUR_S", "right_sizes"]

HALF_HOUR_S = 1800
LEAST_DAYS = 12
"""Days with enough values that a projection needs."""
AHEAD_DAYS = 30
CHANCE = 0.98
"""Chance that the upper projection is not exceeded in the days ahead."""
RESERVE = 1.5
"""A smaller size holds so many times the upper projection: days to come are less alike than those that were."""
USABLE = 0.9
"""Share of a size that is of use: beyond it a guest waits."""
ALIKE = 3.0
"""A guest whose highest day is more than so many times its usual one is not made smaller."""
SMALLEST_STEP = 0.8
"""A size is only advised where it is this share of the present one or less."""
LARGER = 0.8
"""A larger size is filled to this share by the usual day."""
EULER = 0.5772156649
MEASURED = 0.6
"""Share of a day's half hours that must be measured for the day to count."""
QUANTUM = {Resource.CPU: 1.0, Resource.MEMORY: 0.5}
"""Sizes are whole vCPUs and half GiB."""


@dataclass(frozen=True, slots=True)
class _Days:
    """The busiest half hours of a guest's days as shares of its size, and what follows from them."""

    peaks: Doubles

    @property
    def upper(self) -> float:
        """The level that the daily peaks ahead stay below with the given chance: a Gumbel law fitted by its moments."""
        scale = self.peaks.std(ddof=1) * np.sqrt(6) / np.pi
        location = self.peaks.mean() - EULER * scale
        return float(location + scale * (np.log(AHEAD_DAYS) - np.log(-np.log(CHANCE))))

    @property
    def mean(self) -> float:
        """A usual day's."""
        return float(self.peaks.mean())

    @property
    def alike(self) -> bool:
        """Whether the highest day is not far from the usual one; below a hundredth all is the same."""
        return bool(self.peaks.max() <= ALIKE * max(float(np.median(self.peaks)), 0.01))


def right_sizes(panel: Panel) -> tuple[SizeAdvice, ...]:
    """Advice on the guests of a panel of half hours that carries their CPU and memory; none where their size is right.

    Guests of which nothing says how large they are are passed over, and those with fewer than twelve days.
    """
    return tuple(advice for row, entity in enumerate(panel.entities) for advice in _advice(panel, row, entity))


def _advice(panel: Panel, row: int, entity: Entity) -> Iterator[SizeAdvice]:
    if entity.kind != EntityKind.VM:
        return
    for resource, metric, size in (
        (Resource.CPU, "vm_cpu_pct", cpus_of(entity)),
        (Resource.MEMORY, "vm_memory_usable_pct", memory_gib_of(entity)),
    ):
        if size is None or metric not in panel.metric_names:
            continue
        values = panel.values[row, :, panel.metric_names.index(metric)].astype(np.float64) / 100
        days = _days(values if resource is Resource.CPU else 1 - values, panel.slots_per_day)
        advised = _advised(days, size, QUANTUM[resource]) if days is not None else None
        if days is not None and advised is not None:
            yield SizeAdvice(
                guest=entity.id,
                resource=resource,
                size=size,
                advised=advised,
                mean=days.mean * size,
                upper=min(days.upper, 1.0) * size,
                days=len(days.peaks),
            )


def _days(shares: Doubles, per_day: int) -> _Days | None:
    """Whole days, counted back from the end; None where too few were measured."""
    number = len(shares) // per_day
    days = shares[len(shares) - number * per_day :].reshape(number, per_day)
    known = np.isfinite(days).sum(axis=1) >= MEASURED * per_day
    return _Days(np.nanmax(days[known], axis=1)) if known.sum() >= LEAST_DAYS else None


def _advised(days: _Days, size: float, quantum: float) -> float | None:
    """Another size; None where the present one is right."""
    if days.mean > USABLE:
        return float(max(np.ceil(days.mean * size / LARGER / quantum) * quantum, size + quantum))
    needed = max(days.upper, days.mean) * RESERVE * size / USABLE
    smaller = max(float(np.ceil(max(needed, size / 2) / quantum)) * quantum, quantum)
    return smaller if days.alike and smaller <= SMALLEST_STEP * size else None
