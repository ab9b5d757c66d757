"""Moves of a night's plan: hosts that take nothing in, and why."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import numpy as np
from nights import night

from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Freshness, Silence
from brownout.domain.findings.capacity_plan import MovePlan, PlannedMove
from brownout.domain.forecasts import QUANTILES, Breach, Forecasts, Series
from brownout.domain.metrics import Catalogue
from brownout.nightly.capacity.closed_hosts import closed_hosts, unseen_hosts
from brownout.nightly.capacity.planned_moves import chosen_moves, move_actions, plan_moves
from brownout.nightly.context import NightContext
from brownout.planning.remedies import Remedies
from brownout.reporting.anchors import action_anchor
from brownout.settings import Settings

END = np.datetime64("2026-03-16T00:00", "ms")
METRICS = Catalogue.load().metrics
TOPOLOGY = Topology.of(
    [*(Entity(id=name, kind="host") for name in ("a", "b", "c")), Entity(id="g", kind="vm", parent="a")]
)


def breach(entity: str, metric: str, probability: float) -> Breach:
    return Breach(
        series=Series(entity, metric), limit=90.0, probability=probability, earliest=END, likely=END, latest=END,
        duration_s=60.0, horizon_s=3600.0, now=50.0, maker="lstm",
    )  # fmt: skip


def test_a_host_that_will_be_full_is_closed_and_one_with_a_full_guest_is_not() -> None:
    found = [
        breach("b", "host_cpu_busy_pct", 0.8),
        breach("c", "host_cpu_busy_pct", 0.3),
        breach("g", "vm_cpu_pct", 0.9),
    ]
    closed = closed_hosts(TOPOLOGY, (), found, METRICS)
    assert closed == {"b": "Host CPU busy will probably be beyond 90 %"}


def test_an_open_incident_closes_its_host() -> None:
    known = night()
    diagnoses = [replace(diagnosis, open=True) for diagnosis in known.diagnoses]
    closed = closed_hosts(known.topology, diagnoses, (), known.metrics)
    assert any("open incident" in reason for reason in closed.values())
    over = [replace(diagnosis, open=False) for diagnosis in known.diagnoses]
    assert closed_hosts(known.topology, over, (), known.metrics) == {}


def test_maintenance_within_a_day_closes_a_host() -> None:
    hour = np.timedelta64(3_600_000, "ms")
    for begin, expected in ((2, {"b"}), (30, set())):
        window = Maintenance(name="w", entities=("b",), once=(END + begin * hour, END + (begin + 1) * hour))
        assert set(unseen_hosts(TOPOLOGY, None, Calendar((window,)), END)) == expected


def test_a_silent_host_takes_nothing() -> None:
    silence = Silence(entity="c", whole=True, since=END, families=(), expected="", below=())
    freshness = Freshness(at=END, newest=END, age_s=0.0, stale=False, silences=(silence,))
    assert "any more" in unseen_hosts(TOPOLOGY, freshness, Calendar(), END)["c"]


@dataclass(frozen=True)
class Site:
    """The part of a night's context that turns moves into actions."""

    remedies: Remedies
    topology: Topology = TOPOLOGY


def test_a_planned_move_is_no_second_action_beside_one_that_empties_the_same_host() -> None:
    site = cast("NightContext", Site(Remedies.load()))
    move = PlannedMove(
        guest="g", source="a", target="b", source_before=93.2, source_after=70.1, target_before=40.4, target_after=61.0
    )
    (action,) = move_actions(site, MovePlan(busy=("a",), moves=(move,)), ())
    assert (action.entity, action.remedy, action.prevention) == ("g", "rebalance", False)
    off = next(
        remedy for remedy in site.remedies.table.values() if remedy.command == "@migrate" and remedy.id != "rebalance"
    )
    same = replace(action, entity="a", remedy=off.id)
    assert move_actions(site, MovePlan(busy=("a",), moves=(move,)), (same,)) == ()
    for other in (replace(same, entity="b"), replace(same, prevention=True)):
        assert len(move_actions(site, MovePlan(busy=("a",), moves=(move,)), (other,))) == 1


def test_further_moves_off_a_host_are_actions_of_their_own_and_told_apart() -> None:
    site = cast("NightContext", Site(Remedies.load()))
    first = PlannedMove(
        guest="g", source="a", target="b", source_before=53.2, source_after=45.1, target_before=40.4, target_after=61.0,
        lacks_gib=19.2, frees_gib=8.0,
    )  # fmt: skip
    moves = (first, replace(first, guest="h"), replace(first, guest="i"))
    plan = MovePlan(busy=("a",), moves=moves)
    found = move_actions(site, plan, ())
    assert [(action.entity, action.about) for action in found] == [(n, "a host_memory_available_pct") for n in "ghi"]
    assert len({action_anchor(action.about, action.title, action.entity) for action in found}) == 3
    off = replace(found[0], entity="a", remedy="CONT-04")
    assert [action.entity for action in move_actions(site, plan, (off,))] == ["h", "i"]


def test_a_move_is_as_sure_as_the_share_of_what_is_short_that_it_takes_away() -> None:
    move = PlannedMove(
        guest="g", source="a", target="b", source_before=53.2, source_after=45.1, target_before=40.4, target_after=61.0,
        lacks_gib=16.0, frees_gib=8.0,
    )  # fmt: skip
    busy = replace(move, source_before=120.0, source_after=90.0)
    plan = MovePlan(moves=(move, busy, replace(move, frees_gib=20.0), replace(move, lacks_gib=0.0)))
    assert [one.cures for one in chosen_moves(plan)] == [0.5, 0.75, 1.0, 1.0]


def test_a_move_says_what_it_does_to_both_hosts() -> None:
    move = PlannedMove(
        guest="g", source="a", target="b", source_before=93.2, source_after=70.1, target_before=40.4, target_after=61.0
    )
    reason = chosen_moves(MovePlan(busy=("a",), moves=(move,)))[0].reason
    assert reason == (
        "move g to b; a will be asked for up to 93 % of its CPU in the coming day, 70 % after the move, "
        "and b for 61 % instead of 40 %"
    )
    roomy = replace(move, source_before=53.1, source_after=45.1, lacks_gib=19.2, frees_gib=8.0)
    reason = chosen_moves(MovePlan(busy=("a",), moves=(roomy,)))[0].reason
    assert reason.startswith(
        "move g to b; a will be short of 19.2 GiB of memory in the coming day, of which this frees 8 GiB; its CPU goes "
    )


def test_a_host_that_was_busy_with_a_guest_that_left_is_relieved_of_no_other() -> None:
    """Its own past, from which it is forecast, is that of the guest that moved on; a move of last month counts."""
    labels = {"cores": "10", "memory_gib": "100"}
    hosts = [Entity(id=name, kind="host", labels=labels) for name in ("a", "b")]
    small = {"vcpus": "4", "memory_gib": "4"}
    stayed = Entity(id="stayed", kind="vm", parent="a", labels=small)
    levels = {"a": 97.0, "b": 20.0, "stayed": 50.0, "left": 50.0}
    metrics = {"a": "host_cpu_busy_pct", "b": "host_cpu_busy_pct", "stayed": "vm_cpu_pct", "left": "vm_cpu_pct"}
    series = [Series(name, metric) for name, metric in metrics.items()]
    series += [Series(name, "host_memory_available_pct") for name in ("a", "b")]
    rows = [np.full((24, len(QUANTILES)), levels.get(s.entity, 80) if "cpu" in s.metric else 80) for s in series]
    values = np.array(rows, np.float32)
    loads = Forecasts(tuple(series), np.full(len(series), END), 3600, values, ("lstm",) * len(series))
    fresh = Freshness(at=END, newest=END, age_s=0.0, stale=False, silences=())
    planned = {}
    for days_ago in (1, 30):
        since = END - np.timedelta64(days_ago, "D")
        left = Entity(id="left", kind="vm", parent="b", labels=small, former=((since, "a"),))
        context = SimpleNamespace(
            topology=Topology.of([*hosts, stayed, left]),
            settings=Settings(),
            metrics=METRICS,
            calendar=Calendar(),
            span=SimpleNamespace(end=END),
        )
        planned[days_ago] = plan_moves(cast("NightContext", context), [loads], (), (), (), fresh)
    assert planned[1] == MovePlan(busy=(), moves=())
    assert [(move.guest, move.target) for move in planned[30].moves] == [("stayed", "b")]
