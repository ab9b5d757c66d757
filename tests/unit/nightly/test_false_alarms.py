"""Chance: what has no cause and is often that odd in a fleet is quiet; everything else is told."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from panels import waves

from brownout.detection.alert_state import AlertState
from brownout.detection.episodes.rule_precedents import RulePrecedents
from brownout.detection.episodes.threshold_rules import load_rules
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Action, Cause, Diagnosis, Episode, Mover, Risk, Shape, SuppressionReason
from brownout.domain.forecasts import Series
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.ports import SampleStore
from brownout.domain.verdicts import Said, Verdict
from brownout.nightly.assemble import _suppressed
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis
from brownout.nightly.false_alarms import AlarmedIncidents, Expectation, expected_by_chance, suppress_expected
from brownout.nightly.freshness import SilentIncidents
from brownout.nightly.training.train import ENTITIES_A_KIND, fit_detector
from brownout.nightly.training.training_sample import evenly_by_kind
from brownout.settings import Settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards

START = np.datetime64("2026-03-16T10:00", "ms")
END = START + np.timedelta64(3_600_000, "ms")


def suppress(
    batches: list[BatchDiagnosis],
    episodes: list[Episode],
    per_day: dict[str, float],
    state: AlertState | None = None,
    telling: tuple[str, ...] = (),
) -> AlarmedIncidents:
    every = frozenset(e.id for e in episodes)
    harmful = frozenset(e.id for e in episodes if e.movers or e.rules)
    expected = Expectation(per_day=per_day, allowed=3, telling=frozenset(telling), suffering=every, harmful=harmful)
    return suppress_expected(batches, episodes, expected=expected, state=state or AlertState())


def episode(name: str, entity: str = "vm", severity: float = 1.4) -> Episode:
    mover = Mover(series=Series(entity, "vm_cpu_pct"), usual=1, peak=9, deviation=8, onset=START)
    return Episode(id=name, entity=entity, start=START, end=END, open=False, severity=severity, movers=(mover,))


def investigation(*parts: tuple[str, tuple[str, ...]]) -> BatchDiagnosis:
    """One incident for each cause and its episodes, each with an action."""
    diagnoses = tuple(
        Diagnosis(
            id=f"incident {number}",
            start=START,
            end=END,
            open=False,
            entities=("kvm",),
            episodes=episodes,
            causes=(Cause(id=cause, title=cause, family="cpu", entity="kvm", probability=0.7, evidence=()),),
        )
        for number, (cause, episodes) in enumerate(parts)
    )
    words: dict[str, Any] = dict.fromkeys(("cause", "entity", "title", "command", "confirm", "verify", "rollback"), "x")
    actions = tuple(Action(about=d.id, risk=Risk.LIVE, effect=None, **words) for d in diagnoses)
    return BatchDiagnosis(diagnoses=list(diagnoses), actions=list(actions), charts={d.id: {} for d in diagnoses})


def test_what_has_no_cause_and_is_often_so_odd_is_quiet_with_all_that_belongs_to_it() -> None:
    found = investigation((UNKNOWN, ("a",)), (UNKNOWN, ("b",)))
    told = suppress([found], [episode("a"), episode("b")], {"a": 40.0, "b": 3.0})
    assert [(one.episode.id, one.why) for one in told.suppressed] == [("a", SuppressionReason.CHANCE)]
    assert "40 times a day" in told.suppressed[0].reason
    (left,) = told.batches
    assert [d.id for d in left.diagnoses] == [a.about for a in left.actions] == list(left.charts) == ["incident 1"]


@pytest.mark.parametrize(
    ("cause", "episodes", "often"),
    [
        ("HW-01", ("a",), (40.0,)),
        (UNKNOWN, ("a", "b"), (40.0, 2.0)),
        (UNKNOWN, ("a", "b", "c"), (40.0, 40.0, 40.0)),
    ],
    ids=["with a cause", "one episode is rare", "three entities at one time"],
)
def test_what_is_told_whatever_chance_says(cause: str, episodes: tuple[str, ...], often: tuple[float, ...]) -> None:
    own = [episode(name, entity=name) for name in episodes]
    told = suppress([investigation((cause, episodes))], own, dict(zip(episodes, often, strict=True)))
    assert told.suppressed == ()
    assert len(told.batches[0].diagnoses) == 1


def test_two_entities_at_one_time_or_one_three_times_can_be_chance() -> None:
    found = investigation((UNKNOWN, ("a", "b")), (UNKNOWN, ("c", "d", "e")))
    own = [episode("a", "vm1"), episode("b", "vm2"), *(episode(name) for name in "cde")]
    told = suppress([found], own, dict.fromkeys("abcde", 40.0))
    assert {one.episode.id for one in told.suppressed} == set("abcde")


def test_what_was_alarmed_last_night_or_is_like_a_true_one_is_told() -> None:
    found, own = investigation((UNKNOWN, ("a",))), [episode("a", severity=1.4)]
    often = {"a": 40.0}
    assert not suppress([found], own, often, AlertState(alarmed=frozenset({"a"}))).suppressed
    assert suppress([found], own, often, AlertState(alarmed=frozenset({"b"}))).suppressed
    for severity, said, quiet in ((1.3, Said.TRUE, 0), (1.5, Said.TRUE, 1), (1.3, Said.FALSE, 1)):
        verdict = Verdict(episode=episode("old", severity=severity), said=said, at=START)
        memory = AlertState(verdicts=(verdict,))
        assert len(suppress([found], own, often, memory).suppressed) == quiet


def test_how_often_a_day_is_counted_in_the_days_learned_from_incidents_included(tmp_path: Path) -> None:
    """One entity in four deviates for three hours on three of ten days; each may be the top of one block or of two."""
    panel = waves(entities=4, days=12)
    values = panel.values.copy()
    for day in (4, 7, 10):
        values[1, day * 48 + 20 : day * 48 + 26, 0] -= 30
    panel = replace(panel, values=values)
    detector = IsolationForestDetector().fit([panel])
    levels = detector.score(panel, 96).levels
    assert levels is not None
    reached = [float(np.nanmax(levels[1, (day - 2) * 48 + 20 : (day - 2) * 48 + 30])) for day in (4, 7, 10)]
    often = detector.per_day("vm", min(reached) - 0.02)
    assert often == pytest.approx(4.5 / 40, rel=0.4)
    assert detector.per_day("vm", 0.5) > 3 * often
    detector.save(tmp_path)
    assert IsolationForestDetector.load(tmp_path).per_day("vm", 0.5) == detector.per_day("vm", 0.5)
    assert detector.per_day("vm", 3 * max(reached)) < often / 5


def test_a_fleet_shows_what_each_of_its_entities_shows() -> None:
    """How often a day: once for each entity that is measured, by the tail of the episode's own kind."""
    topology = Topology.of([Entity(id="vm", kind="vm"), Entity(id="kvm", kind="host"), Entity(id="gone", kind="host")])
    store = cast("SampleStore", SimpleNamespace(spans=lambda: {"vm": None, "kvm": None}, topology=topology))
    rates = {("vm", 1.4): 0.5, ("host", 2.0): 0.01}
    detector = cast("IsolationForestDetector", SimpleNamespace(per_day=lambda kind, severity: rates[kind, severity]))
    knowledge = SimpleNamespace(symptoms={}, causes={})
    context = cast(
        "NightContext",
        SimpleNamespace(
            store=store, topology=topology, detector=detector, rules=load_rules(), settings=Settings(),
            metrics=shipped_catalogue().metrics, diagnoser=SimpleNamespace(knowledge=knowledge),
        ),
    )  # fmt: skip
    expected = expected_by_chance(context, [episode("a"), episode("b", "kvm", severity=2.0)])
    assert expected.per_day == {"a": pytest.approx(1.0), "b": pytest.approx(0.02)}
    assert expected.allowed == Settings().detect.unknown_a_guest_day
    assert expected.suffering == frozenset()


def reading() -> NightContext:
    """What expectations are made from, of a fleet in which everything is often that odd."""
    topology = Topology.of([Entity(id="vm", kind="vm"), Entity(id="console", kind="console")])
    store = cast("SampleStore", SimpleNamespace(spans=lambda: {"vm": None}, topology=topology))
    return cast(
        "NightContext",
        SimpleNamespace(
            store=store, topology=topology, detector=SimpleNamespace(per_day=lambda *_: 1.0), rules=load_rules(),
            settings=Settings(), metrics=shipped_catalogue().metrics, diagnoser=Diagnoser(Knowledge.load(None)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("before_s", "telling"), [(1800, True), (3600, False)])
def test_a_raised_rule_tells_only_where_it_was_seldom_raised_for_as_long(before_s: float, telling: int) -> None:
    """Raised for an hour, and on each of nine other days for half an hour, or an hour."""
    mover = Mover(series=Series("vm", "vm_ready_pct"), usual=1, peak=9, deviation=8, onset=START)
    one = replace(episode("a"), movers=(mover,), rules=("R-READY",))
    before = RulePrecedents(
        held={("a", "R-READY"): 3600.0},
        peaks={"R-READY": np.array([[before_s] * 9 + [3600.0]])},
        weights={"R-READY": np.ones(1)},
        days_back={"a": (0, 0)},
    )
    assert bool(expected_by_chance(reading(), [one], before).telling) == telling


def test_people_notice_at_consoles_and_where_a_rule_is_seldom_raised_for_as_long() -> None:
    """That every guest of a host waits a little for a CPU at one time is how a CPU is shared."""
    often = {"R-READY-WARN": np.full((1, 10), 3600.0)}
    before = RulePrecedents(
        held={("a", "R-READY-WARN"): 3600.0},
        peaks=often,
        weights={"R-READY-WARN": np.ones(1)},
        days_back={"a": (0, 0), "b": (0, 0)},
    )
    every = [
        replace(episode("a"), rules=("R-READY-WARN",)),
        replace(episode("b"), rules=("R-READY",)),
        episode("c"),
        episode("d", "console"),
    ]
    assert expected_by_chance(reading(), every, before).suffering == {"b", "d"}


@pytest.mark.parametrize(("peak", "telling"), [(47, False), (30, True)])
def test_a_ramp_that_is_over_went_at_least_half_of_its_way_to_the_limit(peak: float, telling: int) -> None:
    """Usable memory from 63 % towards 10 %."""
    mover = Mover(series=Series("vm", "vm_memory_usable_pct"), usual=63, peak=peak, deviation=-8, onset=START)
    one = replace(episode("a"), movers=(mover,), shape=Shape.RAMP)
    assert bool(expected_by_chance(reading(), [one]).telling) == telling
    assert expected_by_chance(reading(), [replace(one, open=True)]).telling


@pytest.mark.parametrize(
    ("metric", "deviation", "minutes", "is_open", "fills"),
    [
        ("host_memory_available_pct", -5, 65, True, True),
        ("disk_used_pct", 5, 65, True, True),
        ("host_memory_available_pct", 5, 65, True, False),
        ("host_memory_available_pct", -5, 65, False, False),
        ("host_memory_available_pct", -5, 25, True, False),
        ("vm_cpu_pct", 5, 65, True, False),
        ("net_util_pct", 5, 65, True, False),
        ("link_rtt_ms", 5, 65, True, False),
    ],
)
def test_a_store_that_goes_on_to_be_used_up_is_no_chance(
    metric: str, deviation: float, minutes: int, *, is_open: bool, fills: bool
) -> None:
    mover = Mover(series=Series("vm", metric), usual=50, peak=30, deviation=deviation, onset=START)
    end = START + np.timedelta64(minutes, "m")
    one = replace(episode("a", severity=0.6), movers=(mover,), open=is_open, end=end)
    expected = replace(expected_by_chance(reading(), [one]), per_day={"a": 40.0})
    assert bool(expected.filling) == fills
    kept = suppress_expected([investigation((UNKNOWN, ("a",)))], [one], expected=expected, state=AlertState())
    assert bool(kept.batches[0].diagnoses) == fills


@pytest.mark.parametrize(("deviation", "told"), [(8.0, 0), (-8.0, 1)])
def test_what_another_incident_explains_of_an_episode_says_nothing_of_the_rest(deviation: float, told: int) -> None:
    """A host that waits for a CPU by a neighbour has a critical rule; the memory left over is free, or is used up."""
    waits = Mover(series=Series("vm", "vm_ready_pct"), usual=1, peak=40, deviation=30, onset=START)
    memory = replace(waits, series=Series("vm", "vm_memory_usable_pct"), usual=60, peak=12, deviation=deviation)
    whole = replace(episode("a"), movers=(waits, memory), rules=("R-READY",), shape=Shape.RAMP)
    part = replace(whole, movers=(memory,), rules=())
    batch = investigation((UNKNOWN, ("a",)))
    for parts, kept in ((None, 1), ({batch.diagnoses[0].id: [part]}, told)):
        expected = replace(expected_by_chance(reading(), [whole], None, parts), per_day={"a": 40.0})
        found = suppress_expected([batch], [whole], expected=expected, state=AlertState())
        assert len(found.batches[0].diagnoses) == kept


@pytest.mark.parametrize(
    ("metric", "rules", "harmful"),
    [("vm_memory_usable_pct", (), False), ("vm_ready_pct", (), True), ("vm_memory_usable_pct", ("R-READY",), True)],
)
def test_a_part_keeps_the_rules_that_test_what_moved_in_it_and_a_whole_episode_all(
    metric: str, rules: tuple[str, ...], *, harmful: bool
) -> None:
    """R-READY tests waits for a CPU; nothing here got worse by itself."""
    mover = Mover(
        series=Series("vm", metric), usual=30, peak=60, deviation=-8 if metric == "vm_ready_pct" else 8, onset=START
    )
    whole = replace(episode("a"), movers=(mover,), rules=("R-READY",))
    batch = investigation((UNKNOWN, ("a",)))
    parts = {batch.diagnoses[0].id: [replace(whole, rules=rules)]}
    expected = expected_by_chance(reading(), [whole], None, parts).of(batch.diagnoses[0])
    assert bool(expected.harmful) == harmful


@pytest.mark.parametrize(
    ("cause", "often", "telling", "told"),
    [("SW-05", 40, (), 0), ("SW-05", 5, (), 1), ("SW-05", 40, ("a",), 1), ("LEAK-01", 40, (), 1)],
)
def test_a_cause_by_use_alone_has_to_be_surer_than_chance(
    cause: str, often: float, telling: tuple[str, ...], told: int
) -> None:
    """0.7 sure, where as odd an episode comes ``often`` times a day, and three of them may be alarmed."""
    every = frozenset({"a"})
    uses = expected_by_chance(reading(), []).uses
    assert uses == {"HW-01", "HW-06", "NET-02", "SW-05"}
    expected = Expectation(
        per_day={"a": often}, allowed=3, telling=frozenset(telling), suffering=every, harmful=every, uses=uses
    )
    kept = suppress_expected([investigation((cause, ("a",)))], [episode("a")], expected=expected, state=AlertState())
    assert len(kept.batches[0].diagnoses) == told
    assert all("no cause is sure" in one.reason for one in kept.suppressed)


@pytest.mark.parametrize(
    ("metric", "deviation", "shape", "rules", "telling", "harmful"),
    [
        ("vm_ready_pct", 8, None, ("R-READY",), True, True),
        ("vm_ready_pct", 8, None, ("R-READY-WARN",), False, True),
        ("vm_cpu_pct", 8, None, ("R-READY",), False, True),
        ("vm_cpu_pct", 8, Shape.RAMP, (), False, False),
        ("vm_memory_usable_pct", -8, Shape.RAMP, (), True, True),
        ("vm_memory_usable_pct", 8, Shape.RAMP, (), False, False),
        ("vm_block_job", 8, Shape.STEP, (), False, False),
        ("disk_util_pct", 8, Shape.STEP, (), False, False),
        ("disk_await_ms", 8, Shape.STEP, (), False, True),
    ],
)
def test_a_critical_rule_on_what_moved_and_a_way_to_the_limit_tell_and_load_alone_harms_nobody(  # noqa: PLR0913, PLR0917
    metric: str, deviation: float, shape: Shape | None, rules: tuple[str, ...], telling: int, harmful: int
) -> None:
    usual, peak = (60, 9) if deviation < 0 else (1, 9)
    mover = Mover(series=Series("vm", metric), usual=usual, peak=peak, deviation=deviation, onset=START)
    one = replace(episode("a"), movers=(mover,), shape=shape, rules=rules)
    expected = expected_by_chance(reading(), [one])
    assert (bool(expected.telling), bool(expected.harmful)) == (telling, harmful)


def test_a_detector_learns_from_every_kind_a_few_entities_of_each(tmp_path: Path) -> None:
    made = FleetSettings(hosts=2, vms=72, days=3, interval_s=1800, seed=1, faults=0)
    write_dataset(simulate(made), tmp_path / "fleet", name="fleet")
    dataset = Dataset.open(tmp_path / "fleet")
    seen: dict[str, int] = {}
    fitted = fit_detector(NightContext.build(dataset, Settings(), created=START))
    for plan in evenly_by_kind(plan_shards(dataset, size=64), ENTITIES_A_KIND):
        seen[plan.kind] = seen.get(plan.kind, 0) + len(plan.entities)
    assert set(fitted.forests_) == {entity.kind for entity in dataset.topology}
    assert (seen["vm"], seen["host"]) == (ENTITIES_A_KIND, 2)


def test_an_incident_without_a_metric_out_of_its_range_is_not_alarmed() -> None:
    nothing = replace(episode("a"), movers=())
    told = suppress([investigation((UNKNOWN, ("a",)))], [nothing], {"a": 0.01})
    assert [one.why for one in told.suppressed] == [SuppressionReason.EVIDENCE]
    for alarmed, cause in ((replace(nothing, rules=("R-UX",)), UNKNOWN), (nothing, "HW-01")):
        assert suppress([investigation((cause, ("a",)))], [alarmed], {"a": 0.01}).suppressed == ()


def test_a_rule_a_ramp_and_a_cause_that_comes_again_are_never_chance() -> None:
    often = {"a": 40.0, "b": 40.0}
    assert suppress([investigation((UNKNOWN, ("a",)))], [episode("a")], often, telling=("a",)).suppressed == ()
    again = investigation(("LEAK-01", ("b",)), (UNKNOWN, ("a",)))
    assert suppress([again], [episode("a"), episode("b")], often).suppressed == ()
    assert len(suppress([again], [episode("a"), episode("b", "other")], often).suppressed) == 1
    past = replace(episode("b"), start=START - np.timedelta64(1, "D"), end=END - np.timedelta64(1, "D"))
    assert len(suppress([again], [episode("a"), past], often).suppressed) == 1


def test_one_metric_of_an_entity_that_is_as_usual_needs_a_cause() -> None:
    """Below the boundary of the forest nothing protects an unknown: not rarity, not company, not last night."""
    own = [episode(name, name, severity=0.7) for name in "abc"]
    state = AlertState(alarmed=frozenset("abc"))
    told = suppress([investigation((UNKNOWN, ("a", "b", "c")))], own, dict.fromkeys("abc", 40.0), state)
    assert {one.why for one in told.suppressed} == {SuppressionReason.CHANCE}
    assert suppress([investigation(("NET-08", ("a",)))], own[:1], {"a": 40.0}).suppressed == ()


def test_a_cause_less_likely_than_all_others_together_is_as_good_as_none() -> None:
    found = investigation(("CONT-10", ("a",)))
    unsure = replace(found.diagnoses[0], causes=(replace(found.diagnoses[0].top, probability=0.3),))
    found = replace(found, diagnoses=[unsure])
    assert len(suppress([found], [episode("a")], {"a": 40.0}).suppressed) == 1
    assert suppress([found], [episode("a")], {"a": 0.1}).suppressed == ()


def test_an_episode_of_which_one_part_is_told_is_not_quiet() -> None:
    """Two things in one episode: what is left of it without a cause is chance, the other part is told."""
    told = suppress([investigation(("HW-01", ("a",)), (UNKNOWN, ("a",)))], [episode("a", severity=0.5)], {"a": 40.0})
    assert [one.episode.id for one in told.suppressed] == ["a"]
    assert _suppressed([], told, SilentIncidents()) == ()
    quiet = suppress([investigation((UNKNOWN, ("a",)))], [episode("a", severity=0.5)], {"a": 40.0})
    assert [one.episode.id for one in _suppressed([], quiet, SilentIncidents())] == ["a"]
