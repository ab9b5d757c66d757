"""The shield of the learned moves: whatever is chosen within it, no rule is broken; what is refused would break one."""

from dataclasses import replace

import numpy as np
import pytest
from planning.shielded_board import CHOICES, FEATURES, PARTS, Board

from brownout.planning.headroom import LEAST_MEMORY, MOST_CPU_PCT
from brownout.planning.placing import FleetAhead, GuestAhead, HostAhead, Rules

TIMES = np.datetime64("2026-03-16T00:00", "ms") + np.arange(1, PARTS + 1) * np.timedelta64(3_600_000, "ms")
RULES = Rules(budget=3, apart=(("v0", "v5"), ("v3", "v9")), together=(("v1", "v2"),), fixed=("v4", "v7"))


def fleet(seed: int) -> FleetAhead:
    """Four hosts, the last of another site, and twelve guests whose CPUs change over the day."""
    rng = np.random.default_rng(seed)
    guests = []
    for number in range(12):
        usual = rng.uniform(0.2, 3, PARTS)
        guests.append(
            GuestAhead(id=f"v{number}", host=f"h{number % 3}", vcpus=4.0, memory_gib=8.0, usual=usual,
                       most=usual * 1.2, waits=np.zeros(PARTS))
        )  # fmt: skip
    hosts = []
    for number in range(4):
        own = sum((guest.usual for guest in guests if guest.host == f"h{number}"), np.zeros(PARTS))
        free = float(rng.uniform(10, 40))
        hosts.append(
            HostAhead(id=f"h{number}", site="b" if number == 3 else "a", cpus=float(rng.uniform(6, 16)),
                      memory_gib=64.0, used=own, free_gib=free)
        )  # fmt: skip
    return FleetAhead(times=TIMES, hosts=tuple(hosts), guests=tuple(guests), unknown={})


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_within_the_shield_breaks_a_rule(seed: int) -> None:
    rng, made = np.random.default_rng(seed), 0
    board = Board(fleet(seed), RULES, 7)
    assert board.seen().shape == (CHOICES, FEATURES)
    while (allowed := np.flatnonzero(board.mask())[:-1]).size:
        choice = board.choices[int(rng.choice(allowed))]
        assert choice is not None
        guest, target = choice
        one, host = board.fleet.guests[guest], board.fleet.hosts[target]
        assert one.id not in {*RULES.fixed, "v1", "v2"}
        assert host.site == "a"
        before, home = board.used.copy(), board.at[guest]
        before[home] -= one.usual
        before[target] += one.most
        board.move(guest, target)
        assert board.used == pytest.approx(before)
        made += 1
        assert (board.used[target] <= host.cpus * MOST_CPU_PCT / 100).all()
        assert board.left_gib[target] >= 0
        at = {other.id: place for other, place in zip(board.fleet.guests, board.at, strict=True)}
        assert at["v0"] != at["v5"]
        assert made <= RULES.budget


def test_what_the_shield_refuses_would_break_a_rule() -> None:
    """With room everywhere and no rules every move to another host is allowed, and each rule takes away its own."""
    roomy = fleet(0)
    hosts = tuple(replace(host, site="a", cpus=1000.0, free_gib=64.0) for host in roomy.hosts)
    free = Board(replace(roomy, hosts=hosts), Rules(budget=1), 7)
    moves = [(guest, target) for guest in range(12) for target in range(4) if free.at[guest] != target]
    assert all(free.allowed(*move) for move in moves)
    small = tuple(replace(host, free_gib=LEAST_MEMORY * host.memory_gib + 7) for host in hosts)
    assert not any(Board(replace(roomy, hosts=small), Rules(budget=1), 7).allowed(*move) for move in moves)
    assert not any(Board(replace(roomy, hosts=hosts), Rules(budget=0), 7).allowed(*move) for move in moves)
    apart = Board(replace(roomy, hosts=hosts), Rules(budget=1, apart=(("v0", "v1"),)), 7)
    assert [move for move in moves if not apart.allowed(*move)] == [(0, 1), (1, 0)]
