"""Latency of a console as the sum of what it waits for, in queueing form, fitted to its own history.

    latency = network + constant + work + cpu / (1 - waiting) + disk + swapping
    echo    = ... + the guest's own CPU queue + its memory

The network is measured; waiting for a CPU is that of M/M/c at what the host is busy with. What the guest does also
makes its screen change, which takes time to draw and to encode: that is the term of work, and no change moves it. Each
wait has one coefficient of the console, not below 0, that its own days say; where these say little (the host was
never busy) it stays near what all consoles of the hosts together say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from brownout.domain.panel import Doubles, Index, Marks
from brownout.numerics.order_statistics import median
from brownout.numerics.queues import response_ratio
from brownout.planning.what_if.hosted_loads import HostedLoads

__all__ = ["OF_GUEST", "THREADS", "WAITS", "ConsoleModel", "DayMoments", "best_threads", "moments_of", "waits"]

WAITS = ("constant", "work", "cpu", "disk", "swap", "guest_cpu", "guest_memory")
"""What a console waits for beside the network, in the order of the coefficients."""
UNMOVED, OF_GUEST = 2, 5
"""Waits before the first number are the same after any change; those from the second on are of an echo alone."""
THREADS = (1, 2, 4, 1024)
"""How many vCPUs the programs behind a console may use at once; which it is the history says."""
BRIEF = 0.15
"""Most that queueing alone makes a vCPU wait: its users slow down before an open queue would diverge."""
LEAST_MEMORY = 15.0
"""Percent of a host's memory available below which it begins to swap: the limit of the metric."""
LEAST_USABLE = 10.0
"""Percent of a guest's memory usable below which it begins to swap: the limit of the metric."""
UNSEEN_SWAP_MS = 100.0
"""Wait of a console for pages on disk when its host has no memory left, where no such time was measured."""
UNSEEN_SHORTAGE = 24.0
"""How many times its usual an echo takes in addition when its guest has no memory left, where none was measured."""
SWAP, GUEST_MEMORY = WAITS.index("swap"), WAITS.index("guest_memory")
SELDOM = 1e-4
"""Mean square of a shortage below which nothing can be learned from it."""
OWN_DAYS = 1.0
"""So many days of history a console's own coefficients weigh as much as those of all consoles."""
TINY = 1e-9


def waits(loads: HostedLoads, threads: int) -> Doubles:
    """What the console of each guest waits for in each slot, ``[guest, time, wait]``; 0 for what is not measured."""
    on = loads.at
    stretch = _stretch(loads.cores, loads.busy)[on]
    swap = np.clip((LEAST_MEMORY - loads.available[on]) / LEAST_MEMORY, 0, 1)
    short = np.clip((LEAST_USABLE - loads.usable) / LEAST_USABLE, 0, 1) ** 2
    queue = [
        response_ratio(min(max(int(np.nan_to_num(n, nan=1)), 1), threads), np.nan_to_num(cpu) / 100) - 1
        for n, cpu in zip(loads.vcpus, loads.cpu, strict=True)
    ]
    work = loads.cpu / 100 * loads.vcpus[:, None]
    own = np.array(queue).reshape(work.shape)
    parts = (np.ones_like(work), work, stretch, loads.disk_await[on], swap, own, short)
    stacked: Doubles = np.stack([np.nan_to_num(part) for part in parts], axis=-1)
    return stacked


def _stretch(cores: Doubles, busy: Doubles) -> Doubles:
    """How much longer than alone work on a CPU takes, ``[host, time]``: 0 where nobody waits."""
    rows = []
    for c, percent in zip(cores, busy, strict=True):
        use = np.nan_to_num(percent) / 100
        queueing = 1 - 1 / response_ratio(max(int(np.nan_to_num(c, nan=1)), 1), use)
        closed = np.maximum(1 - 1 / np.maximum(use, TINY), 0)
        waiting = np.minimum(queueing, BRIEF + closed)
        rows.append(waiting / (1 - np.minimum(waiting, 0.95)))
    return np.array(rows).reshape(busy.shape)


@dataclass(frozen=True, slots=True, eq=False)
class DayMoments:
    """Sums of products of waits and latencies: ``grams [guest, day, wait, wait]``, ``products [guest, day, wait]``."""

    grams: Doubles
    products: Doubles

    @property
    def days(self) -> int:
        """Number of days."""
        return int(self.grams.shape[1])


def moments_of(x: Doubles, y: Doubles, days: Index) -> DayMoments:
    """Moments of each day, from waits ``[guest, time, wait]`` and latencies without network ``[guest, time]``.

    ``days`` is the number of each slot's day, from 0. What lies beyond ten times a console's median counts as that:
    an outage says nothing about queues.
    """
    most = 10 * np.maximum(np.nan_to_num(median(y, axis=1)), 1)
    y = np.minimum(y, most[:, None])
    weight = np.isfinite(y).astype(np.float64)
    known = np.nan_to_num(y)
    shape = (len(y), int(days.max()) + 1 if len(days) else 0)
    grams, products = np.zeros((*shape, x.shape[2], x.shape[2])), np.zeros((*shape, x.shape[2]))
    for day in range(shape[1]):
        part = np.flatnonzero(days == day)
        weighted = x[:, part] * weight[:, part, None]
        grams[:, day] = np.einsum("gtw,gtv->gwv", weighted, x[:, part])
        products[:, day] = np.einsum("gtw,gt->gw", weighted, known[:, part])
    return DayMoments(grams, products)


@dataclass(frozen=True, slots=True, eq=False)
class ConsoleModel:
    """Coefficients of each console, ``[guest, wait]``: milliseconds for each unit of a wait; never negative.

    ``loss`` is the sum of the square errors, less what no coefficients change; ``unseen`` marks the waits, ``[wait]``,
    that the history does not know: their coefficients are general experience.
    """

    coefficients: Doubles
    loss: float
    unseen: Marks

    @classmethod
    def fit(cls, moments: DayMoments, days: Index) -> "ConsoleModel":
        """Fit from some days, which may repeat."""
        grams, products = moments.grams[:, days].sum(axis=1), moments.products[:, days].sum(axis=1)
        together, slots = grams.sum(axis=0), np.maximum(grams[:, 0, 0], 1)
        common = _least_squares(together, products.sum(axis=0))
        # Pulled to the common coefficients with the weight of a day, in units of each wait's usual size.
        size = np.diag(np.diag(together) / max(together[0, 0], 1))
        size[0, 0] = 0.0
        pull = slots / max(len(days), 1) * OWN_DAYS
        own = [
            _least_squares(g + p * size, b + p * size @ common) for g, b, p in zip(grams, products, pull, strict=True)
        ]
        coefficients = np.array(own).reshape(products.shape)
        fitted = np.einsum("gw,gwv,gv->", coefficients, grams, coefficients) - 2 * (coefficients * products).sum()
        indices = np.arange(len(together))
        unseen = np.isin(indices, (SWAP, GUEST_MEMORY)) & (np.diag(together) < SELDOM * max(together[0, 0], 1))
        coefficients[:, SWAP] = np.where(unseen[SWAP], UNSEEN_SWAP_MS, coefficients[:, SWAP])
        if len(unseen) > GUEST_MEMORY and unseen[GUEST_MEMORY]:
            coefficients[:, GUEST_MEMORY] = UNSEEN_SHORTAGE * products[:, 0] / slots
        return cls(coefficients, float(fitted), unseen)

    def change(self, moved: Doubles, rows: Index, *, known_only: bool = False) -> Doubles:
        """Milliseconds that a change of waits of some guests, ``[row, time, wait]``, adds: ``[row, time]``.

        ``known_only`` leaves out waits that the history does not hold.
        """
        moving = np.array(self.coefficients[rows])
        moving[:, :UNMOVED] = 0.0
        if known_only:
            moving[:, self.unseen] = 0.0
        added: Doubles = np.einsum("gtw,gw->gt", moved[..., : moving.shape[1]], moving)
        return added


def best_threads(fits: Sequence[ConsoleModel]) -> int:
    """Which of ``THREADS``, in order of their fits, explains the history best."""
    return THREADS[int(np.argmin([fit.loss for fit in fits]))]


def _least_squares(gram: Doubles, product: Doubles) -> Doubles:
    """Coefficients of at least 0 that minimise the square error that the normal equations stand for."""
    scale = np.sqrt(np.maximum(np.diag(gram), TINY))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    significant = values > 1e-9 * values[-1]
    root = np.sqrt(values[significant])
    matrix = root[:, None] * vectors[:, significant].T
    target = (vectors[:, significant].T @ (product / scale)) / root
    solution, _ = nnls(matrix, target, maxiter=1000)
    return np.asarray(solution / scale, np.float64)
