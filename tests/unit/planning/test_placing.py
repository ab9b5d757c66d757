"""Placement and rebalancing against a search over everything, and against what must never happen."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.planning.placing import FleetAhead, GuestAhead, HostAhead, Rules, place_new_guest, rebalance
from brownout.planning.placing.rebalancing import A_MOVE

END = np.datetime64("2026-03-16T00:00", "ms")
STEPS = 24
TIMES = END + np.arange(1, STEPS + 1) * np.timedelta64(3_600_000, "ms")


def host(name: str, used: float, *, cpus: float = 10, free: float = 60, **more: str) -> HostAhead:
    return HostAhead(
        id=name, site=more.get("site", ""), cpus=cpus, memory_gib=100, used=np.full(STEPS, used), free_gib=free,
        refused=more.get("refused", ""),
    )  # fmt: skip


def guest(name: str, on: str, usual: float, most: float | None = None, *, vcpus: float = 4) -> GuestAhead:
    top = usual * 1.1 if most is None else most
    return GuestAhead(
        id=name, host=on, vcpus=vcpus, memory_gib=8, usual=np.full(STEPS, usual), most=np.full(STEPS, top),
        waits=np.zeros(STEPS),
    )  # fmt: skip


def fleet(hosts: list[HostAhead], guests: list[GuestAhead]) -> FleetAhead:
    return FleetAhead(times=TIMES, hosts=tuple(hosts), guests=tuple(guests), unknown={})


TOPOLOGY = Topology.of(Entity(id=name, kind="host", labels={"hostname": f"{name}.site"}) for name in "abc")


def test_a_guest_goes_where_most_is_left_and_the_others_say_what_they_have() -> None:
    answer = place_new_guest(
        fleet([host("a", 6), host("b", 2), host("c", 4)], []), TOPOLOGY, END, vcpus=2, memory_gib=8
    )
    assert (answer.host, answer.name) == ("b", "b.site")
    assert [room.host for room in answer.hosts] == ["b", "c", "a"]
    # 8 of 10 CPUs may be busy, and 15 of 100 GiB must stay available.
    assert [(room.cpu_free, room.memory_free_gib) for room in answer.hosts] == [(6, 45), (4, 45), (2, 45)]
    assert answer.hosts[0].cpu_peak_pct == pytest.approx(40)


@pytest.mark.parametrize(
    ("only", "size", "reason"),
    [
        (host("a", 7), {"vcpus": 2, "memory_gib": 8}, "90 % busy"),
        (host("a", 1, free=20), {"vcpus": 2, "memory_gib": 8}, "3 GiB of memory too little"),
        (host("a", 1, cpus=2), {"vcpus": 4, "memory_gib": 8}, "more vCPUs than the 2 CPUs"),
        (host("a", 1, refused="it has an open incident"), {"vcpus": 2, "memory_gib": 8}, "open incident"),
    ],
)
def test_no_host_is_an_answer_with_the_reason(only: HostAhead, size: dict[str, int], reason: str) -> None:
    answer = place_new_guest(fleet([only], []), TOPOLOGY, END, **size)
    assert answer.host is None
    assert "fits on no host" in answer.answer
    assert reason in answer.hosts[0].reason


def test_a_new_guest_takes_what_guests_here_do() -> None:
    known = fleet([host("a", 1)], [guest("g", "a", 1.0, 2.0, vcpus=4)])
    np.testing.assert_allclose(known.usual_guest(8), 4.0)
    np.testing.assert_allclose(fleet([host("a", 1)], []).usual_guest(8), 8.0)


def test_a_fleet_is_read_from_forecasts_and_says_what_it_does_not_know() -> None:
    entities = [
        Entity(id="a", kind="host", labels={"cores": "10", "memory_gib": "100"}),
        Entity(id="b", kind="host"),
        Entity(id="g", kind="vm", parent="a", labels={"vcpus": "4", "memory_gib": "8"}),
    ]
    series = (
        Series("a", "host_cpu_busy_pct"), Series("a", "host_memory_available_pct"), Series("g", "vm_cpu_pct"),
    )  # fmt: skip
    values = np.repeat(np.arange(10, 100, 10, dtype=np.float32)[None, None], 3, axis=0).repeat(STEPS, axis=1)
    made = Forecasts(series, np.full(3, END), 3600, values, ("lstm",) * 3)
    assert made.quantiles == QUANTILES
    found = FleetAhead.of(Topology.of(entities), [made], {})
    assert found.hosts[0].used[0] == pytest.approx(9)  # 90 % of 10 CPUs nine times out of ten
    assert found.hosts[0].free_gib == pytest.approx(10)  # 10 % of 100 GiB at the lower end
    assert (found.guests[0].usual[0], found.guests[0].most[0]) == (pytest.approx(2), pytest.approx(3.6))
    assert "CPUs" in found.unknown["b"]


def test_what_guests_wait_for_counts_as_what_they_would_use() -> None:
    """A full host shows 100 % however much more its guests want: moving a little away would leave it full."""
    entities = [
        Entity(id="a", kind="host", labels={"cores": "10", "memory_gib": "100"}),
        Entity(id="g", kind="vm", parent="a", labels={"vcpus": "8", "memory_gib": "8"}),
    ]
    paths = {
        ("a", "host_cpu_busy_pct"): 100, ("a", "host_memory_available_pct"): 50, ("g", "vm_cpu_pct"): 60,
        ("g", "vm_ready_pct"): 30,
    }  # fmt: skip
    values = np.repeat(np.array(list(paths.values()), np.float32)[:, None, None], STEPS, 1).repeat(len(QUANTILES), 2)
    series = tuple(Series(*name) for name in paths)
    made = Forecasts(series, np.full(4, END), 3600, values, ("lstm",) * 4)
    found = FleetAhead.of(Topology.of(entities), [made], {})
    np.testing.assert_allclose(found.guests[0].usual, 7.2)  # 60 % of eight vCPUs, and 30 % waiting
    np.testing.assert_allclose(found.hosts[0].used, 12.4)
    without = made.rows([0, 1, 2])
    np.testing.assert_allclose(FleetAhead.of(Topology.of(entities), [without], {}).hosts[0].used, 10.0)


def test_no_move_where_nobody_is_busy() -> None:
    found = rebalance(fleet([host("a", 7.9), host("b", 1)], [guest("g", "a", 3)]), Rules())
    assert (found.moves, found.busy) == ((), ())


def test_a_move_says_how_much_memory_is_short_and_how_much_of_it_leaves() -> None:
    found = rebalance(fleet([host("a", 3.0, free=5), host("b", 1.0)], [guest("g", "a", 1.0)]), Rules())
    assert [(move.lacks_gib, move.frees_gib) for move in found.moves] == [(10, 8)]  # 15 of 100 GiB must stay available
    crowded = rebalance(fleet([host("a", 9.5), host("b", 1)], [guest("g", "a", 3)]), Rules())
    assert [move.lacks_gib for move in crowded.moves] == [0]


def test_no_move_where_none_helps() -> None:
    # The target would be beyond the limit by the guest's 90 % quantile, however much its source is relieved.
    found = rebalance(fleet([host("a", 9.5), host("b", 5)], [guest("g", "a", 2, 3.5)]), Rules())
    assert found.busy == ("a",)
    assert found.moves == ()


def test_a_move_that_saves_too_little_is_not_worth_it() -> None:
    barely = host("a", 8 + A_MOVE / STEPS / 2)
    assert rebalance(fleet([barely, host("b", 1)], [guest("g", "a", 2)]), Rules()).moves == ()


def busy_fleet(seed: int) -> FleetAhead:
    rng = np.random.default_rng(seed)
    guests = [
        GuestAhead(
            id=f"g{n}", host="a" if n < 4 else "bc"[n % 2], vcpus=4, memory_gib=float(rng.integers(4, 16)),
            usual=(path := rng.uniform(0.2, 2.5) * rng.uniform(0.6, 1, STEPS)), most=path * rng.uniform(1.0, 1.5),
            waits=np.zeros(STEPS),
        )
        for n in range(6)
    ]  # fmt: skip
    hosts = [host("a", 0), host("b", 0, free=40), host("c", 0, free=28)]
    loaded = [
        replace(h, used=base + sum((g.most for g in guests if g.host == h.id), np.zeros(STEPS)))
        for h, base in zip(hosts, (4.5, 3.0, 2.0), strict=True)
    ]
    return fleet(loaded, guests)


def cost(case: FleetAhead, targets: tuple[str, ...], movable: list[GuestAhead], budget: int) -> float:
    """What an assignment costs, by a loop over everything; infinite where it is not allowed."""
    moves = [(g, t) for g, t in zip(movable, targets, strict=True) if t != g.host]
    if len(moves) > budget:
        return np.inf
    total = A_MOVE * len(moves)
    for one in case.hosts:
        coming = [g for g, t in moves if t == one.id]
        used = one.used + sum(g.most for g in coming) - sum(g.usual for g, _ in moves if g.host == one.id)
        if coming and (used.max() > 0.8 * one.cpus or sum(g.memory_gib for g in coming) > one.free_gib - 15):
            return np.inf
        total += np.maximum(used - 0.8 * one.cpus, 0).sum()
    return float(total)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("budget", [1, 2])
def test_the_moves_are_the_cheapest_of_all(seed: int, budget: int) -> None:
    case = busy_fleet(seed)
    found = rebalance(case, Rules(budget=budget))
    movable = [g for g in case.guests if g.host in found.busy]
    every = product(*[[h.id for h in case.hosts] for _ in movable])
    best = min(cost(case, targets, movable, budget) for targets in every)
    chosen = {move.guest: move.target for move in found.moves}
    ours = cost(case, tuple(chosen.get(g.id, g.host) for g in movable), movable, budget)
    assert ours == pytest.approx(best, abs=0.05)  # loads are counted in thousandths


@pytest.mark.parametrize("seed", range(6))
def test_rules_of_the_site_are_kept(seed: int) -> None:
    case = busy_fleet(seed)
    free = rebalance(case, Rules(budget=3))
    if not free.moves:
        return
    first = free.moves[0]
    assert first.guest not in {m.guest for m in rebalance(case, Rules(budget=3, fixed={first.guest})).moves}
    other = next(g.id for g in case.guests if g.host == first.target)
    apart = rebalance(case, Rules(budget=3, apart=((first.guest, other),)))
    assert all(move.target != first.target for move in apart.moves if move.guest == first.guest)
    together = rebalance(case, Rules(budget=3, together=(("g0", "g1"),)))
    places = {g.id: g.host for g in case.guests} | {move.guest: move.target for move in together.moves}
    assert places["g0"] == places["g1"]


def test_a_closed_host_and_another_site_take_nothing() -> None:
    guests = [guest("g", "a", 3)]
    for closed in (host("b", 1, refused="maintenance"), host("b", 1, site="elsewhere")):
        assert rebalance(fleet([host("a", 9.5), closed], guests), Rules()).moves == ()
    moved = rebalance(fleet([host("a", 9.5), host("b", 1)], guests), Rules()).moves
    assert [(m.guest, m.source, m.target) for m in moved] == [("g", "a", "b")]
    assert moved[0].target_after == pytest.approx(43)


def test_a_host_whose_guests_changed_is_forecast_from_those_it_has() -> None:
    labels = {"cores": "10", "memory_gib": "100", "vcpus": "4"}
    hosts = [Entity(id=name, kind="host", labels=labels) for name in ("a", "b", "c")]
    moved = Entity(id="g", kind="vm", parent="b", labels=labels, former=((END - np.timedelta64(1, "D"), "a"),))
    series = [Series(name, metric) for name in "abc" for metric in ("host_cpu_busy_pct", "host_memory_available_pct")]
    series.append(Series("g", "vm_cpu_pct"))
    values = np.full((len(series), STEPS, len(QUANTILES)), 50, np.float32)
    made = Forecasts(tuple(series), np.full(len(series), END), 3600, values, ("lstm",) * len(series))
    found = FleetAhead.of(Topology.of([*hosts, moved]), [made], {}, moved_since=END - np.timedelta64(7, "D"))
    # a has lost its guest, b has a guest half busy on its ten vCPUs, and c is as its own past says.
    np.testing.assert_allclose([host.used[0] for host in found.hosts], [0.4, 5.4, 5.0])
    before = FleetAhead.of(Topology.of([*hosts, moved]), [made], {}, moved_since=END)
    np.testing.assert_allclose([host.used[0] for host in before.hosts], [5.0, 5.0, 5.0])
