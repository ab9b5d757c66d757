"""Effects of a change on console latency: its median and 95 % quantile before and after, each with an 80 % interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.encoding import Number
from brownout.domain.panel import Doubles, Index, Marks
from brownout.planning.what_if.console_model import (
    OF_GUEST,
    THREADS,
    ConsoleModel,
    DayMoments,
    best_threads,
    moments_of,
    waits,
)
from brownout.planning.what_if.hosted_loads import HostedLoads

__all__ = ["LEVELS", "ConsoleEffect", "LatencyHistory", "console_effects"]

LEVELS = (0.5, 0.95)
DRAWS = 60
"""Samples of days from which the spread of an effect is taken."""
TEN_PERCENT = 1.2816
"""Standard deviations from the middle of a normal distribution to its 10 % and 90 % quantiles."""
FORM = (0.2, 0.4)
"""Share of an effect, at each level, by which the form of the model may be wrong."""
OWN_QUEUE = (0.8, 0.8)
"""The same of an effect of the guest's own size: how its programs share its vCPUs is not measured."""
FLOOR = (0.003, 0.015)
"""Share of the latency itself, at each level, that other things move it by from week to week."""
PLACE = (0.035, 0.075)
"""Share of the latency itself that a host's own pace makes of a guest that comes to it."""
UNSEEN = (0.2, 5.0)
"""A wait for pages on disk that was never measured lies between these shares of what general experience says."""
SHORTEST_MS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatencyHistory:
    """Latency of the console of each guest, and its part of the network: ms, ``[guest, time]``; NaN = not measured.

    ``days`` is the number of each slot's day; ``lately`` marks the slots that effects are worked out on; ``of_guest``
    says whether the guest itself takes part in the answer, as in an echo, and not QEMU alone.
    """

    latency: Doubles
    connect: Doubles
    days: Index
    lately: Marks
    of_guest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleEffect:
    """A quantile of console latency in milliseconds.

    Attributes
    ----------
    before
        As it was measured.
    after
        As it would have been.
    low
        Eight in ten outcomes are between this and the next one.
    high
        The upper end.
    """

    before: Number
    after: Number
    low: Number
    high: Number


def console_effects(
    history: LatencyHistory, before: HostedLoads, after: HostedLoads, groups: Mapping[str, Sequence[int]]
) -> dict[str, tuple[ConsoleEffect, ...]]:
    """Effects on groups of guests by name, one for each of ``LEVELS``; none on a group that was never measured.

    The guests of both loads are the same ones. What is compared is the same days with and without the change, so that
    what the days themselves were like cancels.
    """
    rows = np.unique([row for guests in groups.values() for row in guests]).astype(np.int64)
    threads, moments = _moments(history, before)
    moved = (waits(after, threads) - waits(before, threads))[rows]
    network = _network(history, before, after)[rows]
    recent, every = np.unique(history.days[history.lately]), np.arange(moments.days)
    rng = np.random.default_rng(0)
    model = ConsoleModel.fit(moments, every)
    middle = model.change(moved, rows) + network
    known = model.change(moved, rows, known_only=True) + network
    draws = []
    for _ in range(DRAWS):
        model = ConsoleModel.fit(moments, rng.choice(every, len(every)))
        draws.append((model.change(moved, rows) + network, rng.choice(recent, len(recent))))
    lately = _Lately(history.latency[np.ix_(rows, np.flatnonzero(history.lately))], history.days[history.lately])
    draws = [(added[:, history.lately], days) for added, days in draws]
    middle, known = middle[:, history.lately], known[:, history.lately]
    effects = {}
    for name, guests in groups.items():
        own = np.searchsorted(rows, np.array(guests, np.int64))
        if len(own) and np.isfinite(lately.latency[own]).any():
            effects[name] = _effect(lately, own, (middle, known), draws, _relative(before, after, guests))
    return effects


def _relative(before: HostedLoads, after: HostedLoads, guests: Sequence[int]) -> tuple[Doubles, Doubles]:
    """How wrong an effect on some guests may be, by level: as a share of the effect, and of the latency itself."""
    rows = list(guests)
    of_effect, of_latency = np.array(FORM), np.array(FLOOR)
    if (before.vcpus[rows] != after.vcpus[rows]).any():
        of_effect = np.maximum(of_effect, OWN_QUEUE)
    if (before.at[rows] != after.at[rows]).any():
        of_latency = np.maximum(of_latency, PLACE)
    return of_effect, of_latency


def _moments(history: LatencyHistory, loads: HostedLoads) -> tuple[int, DayMoments]:
    """How many threads the programs use, which only an echo shows, and the moments with so many."""
    latency = history.latency - history.connect
    if not history.of_guest:
        return THREADS[0], moments_of(waits(loads, THREADS[0])[..., :OF_GUEST], latency, history.days)
    each = [moments_of(waits(loads, threads), latency, history.days) for threads in THREADS]
    best = best_threads([ConsoleModel.fit(moments, np.arange(moments.days)) for moments in each])
    return best, each[THREADS.index(best)]


@dataclass(frozen=True, slots=True, eq=False)
class _Lately:
    """Latency of some guests in the slots that effects are worked out on, with the day of each slot."""

    latency: Doubles
    days: Index

    def quantiles(self, rows: Index, added: Doubles | None = None, days: Index | None = None) -> Doubles:
        """Quantiles of the latency of some guests together, with ``added``, over all days or ``days`` (may repeat)."""
        values = self.latency[rows] if added is None else np.maximum(self.latency[rows] + added[rows], SHORTEST_MS)
        if days is not None:
            values = np.concatenate([values[:, self.days == day] for day in days], axis=1)
        return np.asarray(np.nanquantile(values, LEVELS), np.float64)


def _network(history: LatencyHistory, before: HostedLoads, after: HostedLoads) -> Doubles:
    """Milliseconds that the way to another host adds, ``[guest, time]``: 0 for a guest that stays."""
    added = np.zeros_like(history.latency)
    for guest in np.flatnonzero(before.at != after.at):
        there = after.network[after.at[guest]]
        here = history.connect[guest]
        # Where no console is measured at the other host its way is taken to be that of now.
        usual = (
            np.nanmedian(there) - np.nanmedian(here) if np.isfinite(there).any() and np.isfinite(here).any() else 0.0
        )
        added[guest] = np.where(np.isfinite(there - here), there - here, usual)
    return added


def _effect(
    lately: _Lately,
    rows: Index,
    added: tuple[Doubles, Doubles],
    draws: Sequence[tuple[Doubles, Index]],
    relative: tuple[Doubles, Doubles],
) -> tuple[ConsoleEffect, ...]:
    """The effect on some guests of latency added to theirs, with and without waits that the history does not hold."""
    was, would, known = (lately.quantiles(rows, one) for one in (None, *added))
    changes = [lately.quantiles(rows, one, days) - lately.quantiles(rows, None, days) for one, days in draws]
    of_effect, of_latency = relative
    parts = [np.array(changes).std(axis=0), of_effect * np.abs(known - was), of_latency * was]
    wide, paging = TEN_PERCENT * np.sqrt(np.square(parts).sum(axis=0)), would - known
    ends = np.array([known + share * paging for share in UNSEEN])
    low, high = np.maximum(ends.min(axis=0) - wide, SHORTEST_MS), ends.max(axis=0) + wide
    rows_of_levels = zip(was.tolist(), would.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(ConsoleEffect(before=b, after=a, low=down, high=up) for b, a, down, up in rows_of_levels)
