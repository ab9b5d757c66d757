"""When hosts of a kind run out: the busy days of weeks, carried on, against what the hosts hold with one of them out.

Hosts of the same size at the same site are one kind, as guests can go from one to the other: what one of them runs out
of is a matter for moves, what all of them run out of has to be bought.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

from brownout.domain.entities import Entity
from brownout.domain.findings.capacity_plan import HardwareOutlook, Resource
from brownout.domain.panel import Panel
from brownout.numerics.arrays import Doubles
from brownout.numerics.order_statistics import quantile
from brownout.numerics.slots import days
from brownout.planning.headroom import LEAST_MEMORY, MOST_CPU_PCT
from brownout.planning.sizes import cpus_of, memory_gib_of

__all__ = ["LEAST_WEEKS", "HostDemand", "hardware_roadmap", "host_demands"]

LEAST_WEEKS = 4
"""Whole weeks that a trend needs."""
MOST_WEEKS = 52
"""Nothing is said of what lies further ahead."""
REACH = 4.0
"""Nor of what lies further ahead than so many times the weeks measured."""
BUSY = 0.95
"""A day is as busy as its half hours at this quantile."""
BUSY_DAY = 5 / 6
"""A week is as busy as its days at this quantile: the second busiest of seven."""
MEASURED = 0.6
"""Share of a day that must be measured for it to count."""
KNOWN_DAYS = 5
"""Days of a week that must be known for it to count."""
SLACK = days(1 / 24)
"""A last day that lacks no more than this counts as whole: data end with their last sample."""
CONFIDENCE = 0.8
"""Of the range of dates."""
WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostDemand:
    """How much of a host was in use on busy half hours of its days: CPUs and GiB, by day and resource."""

    host: Entity
    cpus: float
    memory_gib: float
    used: Mapping[tuple[np.datetime64, Resource], float]


def host_demands(panel: Panel) -> tuple[HostDemand, ...]:
    """Demand of the hosts of a panel of half hours, by UTC day, without hosts of unknown size."""
    first = panel.start.astype("datetime64[D]")
    shares = {resource: _busy_days(panel, resource) for resource in Resource}
    demands = []
    for row, host in enumerate(panel.entities):
        cpus, memory = cpus_of(host), memory_gib_of(host)
        if cpus is None or memory is None:
            continue
        used = {
            (first + day, resource): float(size * shares[resource][row, day])
            for resource, size in ((Resource.CPU, cpus), (Resource.MEMORY, memory))
            for day in np.flatnonzero(np.isfinite(shares[resource][row])).tolist()
        }
        demands.append(HostDemand(host=host, cpus=cpus, memory_gib=memory, used=used))
    return tuple(demands)


def _in_use(panel: Panel, resource: Resource) -> Doubles:
    """Share of a resource in use ``[host, time]``; NaN where it is not measured."""
    name = "host_cpu_busy_pct" if resource is Resource.CPU else "host_memory_available_pct"
    if name not in panel.metric_names:
        return np.full(panel.values.shape[:2], np.nan)
    share = panel.values[..., panel.metric_names.index(name)].astype(np.float64) / 100
    return share if resource is Resource.CPU else 1 - share


def _busy_days(panel: Panel, resource: Resource) -> Doubles:
    """The busy level of each UTC day ``[host, day]``; NaN where too little was measured."""
    used, a_day = _in_use(panel, resource), panel.slots_per_day
    day = (panel.times.astype("datetime64[D]") - panel.start.astype("datetime64[D]")).astype(np.int64)
    slot_of_day = np.arange(len(day)) - np.searchsorted(day, day)
    by_day = np.full((len(used), int(day[-1]) + 1, int(slot_of_day.max()) + 1), np.nan)
    by_day[:, day, slot_of_day] = used
    known = np.isfinite(by_day).sum(axis=2) >= MEASURED * a_day
    return np.where(known, quantile(by_day, BUSY, axis=2, method="linear"), np.nan)


def hardware_roadmap(demands: Sequence[HostDemand], end: np.datetime64) -> tuple[HardwareOutlook, ...]:
    """When each kind of host runs out of CPU and of memory, the soonest first.

    Kinds of less than four weeks are left out. ``end`` is the end of the data; its last day counts where it is whole.
    """
    kinds = defaultdict[tuple[str, float, float], list[HostDemand]](list)
    for demand in demands:
        kinds[demand.host.site, demand.cpus, float(round(demand.memory_gib))].append(demand)
    every = (_outlook(members, resource, end) for members in kinds.values() for resource in Resource)
    outlooks = [one for one in every if one is not None]
    never = end + days(MOST_WEEKS * 2 * WEEK)
    return tuple(sorted(outlooks, key=lambda one: (one.likely or never, one.hosts, one.resource)))


def _outlook(members: Sequence[HostDemand], resource: Resource, end: np.datetime64) -> HardwareOutlook | None:
    weeks = _weeks(_by_day(members, resource, end))
    known = np.flatnonzero(np.isfinite(weeks))
    if len(known) < LEAST_WEEKS or known[-1] < len(weeks) - 1:
        return None
    cpus, memory = members[0].cpus, members[0].memory_gib
    size, share = (cpus, MOST_CPU_PCT / 100) if resource is Resource.CPU else (memory, 1 - LEAST_MEMORY)
    usable = max(len(members) - 1, 1) * size * share
    slope, intercept, low, high = theilslopes(weeks[known], known, CONFIDENCE)
    last = len(weeks) - 1
    scatter = weeks[known] - (intercept + slope * known)
    above, below = (float(np.quantile(scatter, level)) for level in ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2))
    demand = float(intercept + slope * last)
    reach = min(REACH * len(known), MOST_WEEKS)

    def reached(level: float, growth: float) -> np.datetime64 | None:
        ahead = 0.0 if level >= usable else (usable - level) / growth if growth > 0 else np.inf
        return end + days(ahead * WEEK) if ahead <= reach else None

    return HardwareOutlook(
        site=members[0].host.site,
        hosts=tuple(sorted(member.host.id for member in members)),
        cpus=cpus,
        memory_gib=memory,
        resource=resource,
        demand=demand,
        usable=usable,
        growth=float(slope),
        earliest=reached(demand + above, float(high)),
        likely=reached(demand, float(slope)),
        latest=reached(demand + below, float(low)),
        until=end + days(reach * WEEK),
        weeks=len(known),
    )


def _by_day(members: Sequence[HostDemand], resource: Resource, end: np.datetime64) -> Doubles:
    """Demand of all hosts together on each whole day up to the end; NaN where a host was not measured in between.

    Before a host was there, and after it went, it took nothing; of a day on which none was measured nothing is known.
    """
    whole = (end + SLACK).astype("datetime64[D]")  # the day after the last whole one
    own = [{day: used for (day, kind), used in one.used.items() if kind is resource and day < whole} for one in members]
    every = [day for table in own for day in table]
    if not every:
        return np.array([])
    first = min(every)
    total = np.zeros(int((whole - first) / np.timedelta64(1, "D")))
    measured = np.zeros(len(total), bool)
    for table in own:
        values = np.full(len(total), np.nan)
        indices = [int((day - first) / np.timedelta64(1, "D")) for day in table]
        if indices:
            values[indices] = list(table.values())
            measured[indices] = True
            values[: min(indices)], values[max(indices) + 1 :] = 0, 0 if max(indices) < len(total) - WEEK else np.nan
        total += values if indices else 0
    return np.where(measured, total, np.nan)


def _weeks(by_day: Doubles) -> Doubles:
    """The busy level of each whole week, counted back from the last day; NaN where too few days are known."""
    number = len(by_day) // WEEK
    if not number:
        return np.array([])
    weeks = by_day[len(by_day) - number * WEEK :].reshape(number, WEEK)
    known = np.isfinite(weeks).sum(axis=1) >= KNOWN_DAYS
    return np.where(known, quantile(weeks, BUSY_DAY), np.nan)
