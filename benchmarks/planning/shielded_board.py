"""Where guests are on a night, the moves that are allowed, and what each would do: what a learned policy sees.

The shield is arithmetic, not learned: a move that raises a host's peak beyond its limit, takes memory that must stay
available, breaks a group, leaves the site or exceeds the budget is no choice at all. It asks of a move what
``brownout.planning.placing.rebalance`` asks of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brownout.domain.panel import Doubles
from brownout.planning.headroom import LEAST_MEMORY, MOST_CPU_PCT
from brownout.planning.placing import FleetAhead, Rules

__all__ = ["CHOICES", "FEATURES", "Board"]

PARTS = 24
"""Parts of the day that a peak is looked at in."""
SOURCES, GUESTS, TARGETS = 2, 6, 3
"""The fullest hosts, the guests of each that take most where it is short, and the emptiest other hosts."""
CHOICES = SOURCES * GUESTS * TARGETS + 1
"""Moves that are looked at, and the last choice: to stop for the night."""
FEATURES = 13


@dataclass(eq=False)
class Board:
    """Hosts and guests of the next day: CPUs in use ``[host, part]``, medians and 90 % quantiles ``[guest, part]``."""

    fleet: FleetAhead
    rules: Rules
    nights_left: int

    def __post_init__(self) -> None:
        hosts, guests = self.fleet.hosts, self.fleet.guests
        self.used = np.array([_parts(host.used) for host in hosts])
        self.usual = np.array([_parts(guest.usual) for guest in guests])
        self.most = np.array([_parts(guest.most) for guest in guests])
        self.cpus = np.array([host.cpus for host in hosts])
        self.limit = self.cpus * MOST_CPU_PCT / 100
        self.memory = np.array([host.memory_gib for host in hosts])
        self.left_gib = np.array([host.free_gib for host in hosts]) - LEAST_MEMORY * self.memory
        self.sizes = np.array([guest.memory_gib for guest in guests])
        numbers = {host.id: number for number, host in enumerate(hosts)}
        self.at = [numbers[guest.host] for guest in guests]
        self.budget = self.rules.budget
        self.choices = self._choices()

    def allowed(self, guest: int, target: int) -> bool:
        """The shield: whether a move keeps every limit, group and the budget."""
        one, host, home = self.fleet.guests[guest], self.fleet.hosts[target], self.at[guest]
        if self.budget <= 0 or target == home or one.id in self.rules.fixed or host.refused:
            return False
        if host.site != self.fleet.hosts[home].site or one.vcpus > host.cpus or one.memory_gib > self.left_gib[target]:
            return False
        there = [self.fleet.guests[other].id for other, place in enumerate(self.at) if place == target]
        if any(one.id in group and not set(group).isdisjoint(there) for group in self.rules.apart):
            return False
        if any(one.id in group for group in self.rules.together):  # one move cannot take a whole group along
            return False
        return bool((self.used[target] + self.most[guest] <= self.limit[target]).all())

    def move(self, guest: int, target: int) -> None:
        """Make a move: a guest relieves by its median and loads by its 90 % quantile."""
        home, size = self.at[guest], self.fleet.guests[guest].memory_gib
        self.used[home] -= self.usual[guest]
        self.used[target] += self.most[guest]
        self.left_gib[home] += size
        self.left_gib[target] -= size
        self.at[guest] = target
        self.budget -= 1
        self.choices = self._choices()

    def _choices(self) -> list[tuple[int, int] | None]:
        """The moves that are looked at, as guest and target; None where there is none, and for the last: to stop."""
        found: list[tuple[int, int] | None] = list(self._moves())
        return found + [None] * (CHOICES - len(found))

    def mask(self) -> np.ndarray:
        """Which choices the shield leaves, ``[CHOICES]``; to stop is always one."""
        kept = [choice is not None and self.allowed(*choice) for choice in self.choices]
        return np.array([*kept[:-1], True])

    def seen(self) -> np.ndarray:
        """What is known of each choice, ``[CHOICES, FEATURES]``, around 0 to 3 in size."""
        table = np.zeros((CHOICES, FEATURES), np.float32)
        moves = np.array([choice for choice in self.choices if choice is not None], int).reshape(-1, 2)
        table[: len(moves), :9] = self._effects(moves[:, 0], moves[:, 1])
        table[-1, 9] = 1
        beyond = np.maximum(self.used - self.limit[:, None], 0).sum()
        table[:, 10:] = self.budget / 3, self.nights_left / 7, np.log1p(beyond)
        return table

    def _moves(self) -> Iterator[tuple[int, int]]:
        order = np.argsort(-(self.used.max(axis=1) / self.limit), kind="stable")
        for source in order[:SOURCES]:
            peak = int(self.used[source].argmax())
            own = [guest for guest, place in enumerate(self.at) if place == source]
            own.sort(key=lambda guest: -self.usual[guest, peak])
            targets = [int(host) for host in order[::-1] if host != source][:TARGETS]
            yield from ((guest, target) for guest in own[:GUESTS] for target in targets)

    def _effects(self, guests: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Of each move: how full its source and target are before and after it, and how large the guest is."""
        homes = np.array(self.at)[guests]
        before, there = self.used[homes], self.used[targets] + self.most[guests]
        after, limits = before - self.usual[guests], self.limit[homes]
        beyond = [np.maximum(load - limits[:, None], 0).sum(axis=1) for load in (before, after)]
        columns = (
            before.max(axis=1) / limits,
            np.log1p(beyond[0]),
            np.log1p(beyond[0] - beyond[1]),
            after.max(axis=1) / limits,
            there.max(axis=1) / self.limit[targets],
            there.mean(axis=1) / self.limit[targets],
            self.usual[guests].mean(axis=1) / self.cpus[homes],
            self.most[guests].max(axis=1) / self.cpus[targets],
            (self.left_gib[targets] - self.sizes[guests]) / self.memory[targets],
        )
        return np.stack(columns, axis=1)


def _parts(path: Doubles) -> Doubles:
    return np.array([part.max() for part in np.array_split(path, PARTS)])
