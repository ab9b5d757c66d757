"""One incident for one fault: causes cover what they move, the rest is asked again, and what ended is not open."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.coverage import covered_by, explained_by
from brownout.diagnosis.incidents.going_on import with_own_span, with_rise_since
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.separation import Sifted, sift
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, Evidence, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Catalogue, shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-16T00:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
KNOWLEDGE = Knowledge.load()
TOPOLOGY = Topology.of(
    [
        Entity(id="kvm", kind="host"),
        *(Entity(id=f"vm{n}", kind="vm", parent="kvm") for n in (1, 2)),
        *(Entity(id=f"vm{n}/console", kind="console", parent=f"vm{n}") for n in (1, 2)),
    ]
)


def episode(entity: str, metric: str, hours: tuple[float, float], *, also: str = "", later: float = 0.0) -> Episode:
    """An episode that one metric made, and another one ``later`` hours after its beginning."""
    start, end = (START + round(hour * 60) * np.timedelta64(60_000, "ms") for hour in hours)
    names = [(metric, start)] + ([(also, start + round(later) * HOUR)] if also else [])
    movers = tuple(
        Mover(series=Series(entity, name), usual=1, peak=9, deviation=8, onset=onset, share=1 / len(names))
        for name, onset in names
    )
    return Episode(id=f"{entity} {hours[0]}", entity=entity, start=start, end=end, open=True, severity=2, movers=movers)


def cause(name: str, entity: str, metric: str, *, contributing: bool = False) -> Cause:
    """A cause whose first piece of evidence is a metric of its own entity."""
    rule = next(r for r in KNOWLEDGE.causes[name].evidence if any(where == "self" for _, where in r.parts))
    symptom = next(symptom for symptom, where in rule.parts if where == "self")
    seen = Evidence(
        symptom=symptom,
        role=EvidenceRole.NECESSARY,
        state=EvidenceState.PRESENT,
        strength=1,
        series=Series(entity, metric),
        statement="",
    )
    evidence = tuple(seen if r is rule else _absent() for r in KNOWLEDGE.causes[name].evidence)
    return Cause(
        id=name,
        title=name,
        family="cpu",
        entity=entity,
        probability=0.9,
        evidence=evidence,
        contributing=contributing,
    )


def _absent() -> Evidence:
    return Evidence(
        symptom="", role=EvidenceRole.STRONG, state=EvidenceState.ABSENT, strength=0, series=None, statement=""
    )


NOTHING = Cause(id=UNKNOWN, title="", family=UNKNOWN, entity="", probability=0.9)


def separated(
    episodes: list[Episode],
    answers: Mapping[str, tuple[Cause, ...]],
    *,
    over: np.datetime64 | None = None,
    topology: Topology = TOPOLOGY,
) -> Sifted:
    """Incidents where the first metric of the first episode decides about the answer; evidence is ``over`` then."""

    def diagnose(window: IncidentWindow) -> Diagnosis:
        causes = answers.get(window.episodes[0].lead, (NOTHING,))
        return Diagnosis(
            id=window.id,
            start=window.start,
            end=window.end,
            open=window.open,
            entities=window.entities,
            episodes=tuple(e.id for e in window.episodes),
            causes=causes,
        )

    (window,) = group_episodes(episodes, topology)
    return sift(window, diagnose, KNOWLEDGE, topology, own_span=lambda d, _: (d.start, over or d.end))


OLD = episode("vm1", "vm_throttled_pct", (0, 46))
NEW = episode("kvm", "host_freq_ratio", (37, 46))
ANSWERS = {
    "vm_throttled_pct": (cause("VIRT-04", "vm1", "vm_throttled_pct"),),
    "host_freq_ratio": (cause("PWR-01", "kvm", "host_freq_ratio"),),
}


def tops(found: Sifted) -> list[tuple[str, str]]:
    return [(d.top.id, d.top.entity) for d in found.diagnoses]


def test_an_older_incident_does_not_absorb_a_new_one_on_its_host() -> None:
    found = separated([OLD, NEW], ANSWERS)
    assert tops(found) == [("VIRT-04", "vm1"), ("PWR-01", "kvm")]
    assert [d.start for d in found.diagnoses] == [OLD.start, NEW.start]
    assert [d.episodes for d in found.diagnoses] == [(OLD.id,), (NEW.id,)]


def test_a_second_mechanism_at_the_same_entity_is_asked_about_from_its_own_onset() -> None:
    both = episode("vm1", "vm_throttled_pct", (0, 30), also="vm_memory_available_pct", later=20)
    leak = cause("LEAK-01", "vm1", "vm_memory_available_pct")
    found = separated([both], {**ANSWERS, "vm_memory_available_pct": (leak,)})
    assert tops(found) == [("VIRT-04", "vm1"), ("LEAK-01", "vm1")]
    assert [d.start for d in found.diagnoses] == [both.start, both.start + 20 * HOUR]


def test_a_cause_that_accounts_for_nothing_that_moved_is_not_told_of_it() -> None:
    """A guest was throttled while a table of its host filled up: another cause of the time, or none, is the answer."""
    fills = episode("kvm", "host_conntrack_pct", (0, 5))
    stranger = replace(cause("VIRT-04", "vm1", "vm_throttled_pct"), probability=0.6)
    weaker = replace(cause("NET-08", "kvm", "host_conntrack_pct"), probability=0.3)
    found = separated([fills], {"host_conntrack_pct": (stranger, weaker, replace(NOTHING, probability=0.1))})
    assert tops(found) == [("NET-08", "kvm")]
    assert found.diagnoses[0].top.probability == pytest.approx(0.75)
    assert tops(separated([fills], {"host_conntrack_pct": (stranger, replace(NOTHING, probability=0.1))})) == [
        (UNKNOWN, "")
    ]


def test_a_restarted_guest_is_no_reason_for_what_its_host_does_but_for_all_that_it_does_itself() -> None:
    restart = replace(cause("ART-07", "vm1", "vm_uptime_h"), artefact=True)
    answers = {"host_conntrack_pct": (restart, NOTHING), "vm_cpu_pct": (restart, NOTHING)}
    assert tops(separated([episode("kvm", "host_conntrack_pct", (0, 5))], answers)) == [(UNKNOWN, "")]
    assert len(separated([episode("vm1", "vm_cpu_pct", (0, 5))], answers).suppressed) == 1


def test_what_shows_a_cause_in_one_of_several_ways_is_accounted_for_in_all_of_them() -> None:
    """A disk has a queue before it, and a guest on it is slow: both may show that it is saturated."""
    topology = Topology.of([*TOPOLOGY, Entity(id="kvm/sda", kind="disk", parent="kvm")])
    slow = replace(
        _absent(), symptom="disk_queues", state=EvidenceState.PRESENT, role=EvidenceRole.NECESSARY,
        series=Series("kvm/sda", "disk_queue"),
    )  # fmt: skip
    rules = KNOWLEDGE.causes["HW-05"].evidence
    evidence = tuple(slow if any(s == "disk_queues" for s, _ in rule.parts) else _absent() for rule in rules)
    saturated = replace(cause("HW-05", "kvm/sda", "disk_util_pct"), evidence=evidence)
    found = explained_by(saturated, KNOWLEDGE, topology, shipped_catalogue().metrics)
    assert found == {("kvm/sda", "disk"), ("vm1", "disk"), ("vm2", "disk")}


LEFT = Entity(id="vm3", kind="vm", parent="elsewhere", former=((START + 50 * HOUR, "kvm"),))
SINCE = Topology.of([*TOPOLOGY, LEFT, Entity(id="vm3/console", kind="console", parent="vm3")])
"""A guest of the host has moved away since."""


def test_a_guest_that_has_left_since_was_in_the_reach_of_its_host() -> None:
    slow, busy = episode("kvm", "host_freq_ratio", (0, 10)), episode("vm3/console", "console_update_ms", (0.1, 9))
    found = separated([slow, busy], ANSWERS, topology=SINCE)
    assert tops(found) == [("PWR-01", "kvm")]
    assert set(found.diagnoses[0].episodes) == {slow.id, busy.id}


def test_a_guest_that_has_left_since_was_restarted_with_its_host() -> None:
    began, busy = episode("kvm", "host_uptime_h", (0, 10)), episode("vm3/console", "console_update_ms", (0.1, 9))
    restart = replace(cause("ART-09", "kvm", "host_uptime_h"), artefact=True)
    found = separated([began, busy], {"host_uptime_h": (restart,)}, topology=SINCE)
    assert tops(found) == []
    assert {one.episode.id for one in found.suppressed} == {began.id, busy.id}


def test_what_began_apart_at_a_host_and_a_guest_that_has_left_since_is_one_incident() -> None:
    found = separated([episode("kvm", "odd", (0, 10)), episode("vm3", "odd", (3, 9))], {}, topology=SINCE)
    assert tops(found) == [(UNKNOWN, "")]


def test_what_nothing_explains_within_reach_of_a_cause_belongs_to_its_incident() -> None:
    console = episode("vm1/console", "console_update_ms", (0.1, 40))
    found = separated([OLD, console], ANSWERS)
    assert tops(found) == [("VIRT-04", "vm1")]
    assert set(found.diagnoses[0].episodes) == {OLD.id, console.id}


def test_what_nothing_explains_out_of_reach_is_an_incident_of_its_own() -> None:
    other = episode("vm2", "vm_disk_iops", (10, 20))
    found = separated([OLD, other], ANSWERS)
    assert tops(found) == [("VIRT-04", "vm1"), (UNKNOWN, "")]
    assert found.diagnoses[1].episodes == (other.id,)


def test_unknown_episodes_of_unrelated_guests_at_other_times_are_different_incidents() -> None:
    found = separated([episode("vm1", "vm_disk_iops", (0, 9)), episode("vm2", "vm_disk_iops", (5, 8))], {})
    assert len(found.diagnoses) == 2
    together = separated([episode("vm1", "vm_disk_iops", (0, 9)), episode("vm2", "vm_disk_iops", (0.5, 8))], {})
    assert len(together.diagnoses) == 1


def test_a_cause_that_is_an_incident_of_its_own_is_no_further_cause_of_another() -> None:
    beside = cause("PWR-01", "kvm", "host_freq_ratio", contributing=True)
    found = separated([OLD, NEW], {**ANSWERS, "vm_throttled_pct": (*ANSWERS["vm_throttled_pct"], beside)})
    assert [len(d.told) for d in found.diagnoses] == [1, 1]


def state(values: np.ndarray) -> Diagnosis:
    """The incident of an episode from the 13th hour to the end, with a metric of five-minute slots."""
    metric = Catalogue.load().metrics["vm_throttled_pct"]
    panel = Panel(values[None, :, None].astype(np.float32), START, 300, (TOPOLOGY["vm1"],), (metric,))
    found = episode("vm1", "vm_throttled_pct", (13, len(values) / 12))
    (window,) = group_episodes([found], TOPOLOGY)
    told = separated([found], ANSWERS).diagnoses[0]
    return with_own_span(told, window, [panel])


def test_an_incident_is_open_only_while_its_own_evidence_holds() -> None:
    values = np.concatenate([np.full(156, 1.0), np.full(36, 60.0), np.full(60, 4.0)])
    ended = state(values)
    assert (ended.open, ended.end) == (False, START + 16 * HOUR)
    going_on = state(np.concatenate([np.full(156, 1.0), np.full(96, 60.0)]))
    assert going_on.open


def test_an_incident_begins_with_its_own_evidence_not_with_what_was_unusual_hours_before() -> None:
    began = state(np.concatenate([np.full(192, 1.0), np.full(60, 60.0)]))
    assert (began.start, began.open) == (START + 16 * HOUR, True)
    crept = state(np.concatenate([np.full(156, 1.0), np.linspace(1.0, 60.0, 96)]))
    assert crept.start == START + 13 * HOUR


def test_what_begins_after_the_evidence_of_a_cause_was_over_is_asked_about_by_itself() -> None:
    """A port that fails after a bond had lost a member is no part of that, though both are of one interface."""
    first = [episode("vm1", "vm_throttled_pct", (hour, 9)) for hour in (0, 0.5)]
    bridge, again = episode("vm1/console", "console_update_ms", (0, 31)), episode("vm1", "vm_throttled_pct", (30, 34))
    whole = separated([*first, bridge, again], ANSWERS)
    assert tops(whole) == [("VIRT-04", "vm1")]
    parted = separated([*first, bridge, again], ANSWERS, over=START + 10 * HOUR)
    assert tops(parted) == [("VIRT-04", "vm1")] * 2
    assert parted.diagnoses[1].episodes == (again.id,)


@pytest.mark.parametrize(
    ("since", "goes_on"),
    [
        (np.linspace(70, 80, 24), True),
        (np.full(24, 70.0), False),
        (np.linspace(70, 60, 24), False),
        (np.linspace(20, 30, 24), False),
    ],
    ids=["fills on", "has stopped", "is emptied", "fills again"],
)
def test_a_store_that_fills_on_is_open_though_nothing_is_unusual_about_it_any_more(
    since: np.ndarray, *, goes_on: bool
) -> None:
    metric = Catalogue.load().metrics["vm_memory_usable_pct"]
    values = 100 - np.concatenate([np.full(156, 20.0), np.linspace(20, 70, 60), since])
    panel = Panel(values[None, :, None].astype(np.float32), START, 300, (TOPOLOGY["vm1"],), (metric,))
    found = replace(episode("vm1", "vm_memory_usable_pct", (13, 18)), open=False)
    (window,) = group_episodes([found], TOPOLOGY)
    leak = cause("LEAK-01", "vm1", "vm_memory_usable_pct")
    told = separated([found], {"vm_memory_usable_pct": (leak,)}).diagnoses[0]
    risen = with_rise_since(told, window, [panel])
    assert (risen.open, risen.end == panel.end) == (goes_on, goes_on)


def test_what_follows_demand_is_not_open_again_because_it_rises() -> None:
    """A guest that is asked for more each hour does not fill up."""
    metric = Catalogue.load().metrics["vm_cpu_pct"]
    assert metric.is_limited
    values = np.concatenate([np.full(156, 20.0), np.linspace(20, 70, 60), np.linspace(70, 80, 24)])
    panel = Panel(values[None, :, None].astype(np.float32), START, 300, (TOPOLOGY["vm1"],), (metric,))
    found = replace(episode("vm1", metric.name, (13, 18)), open=False)
    (window,) = group_episodes([found], TOPOLOGY)
    told = separated([found], {metric.name: (cause("SW-05", "vm1", metric.name),)}).diagnoses[0]
    assert with_rise_since(told, window, [panel]) == told


def test_what_comes_and_goes_is_open_between_two_bursts() -> None:
    burst = np.concatenate([np.full(12, 60.0), np.full(24, 1.0)])
    assert state(np.concatenate([np.full(156, 1.0), burst, burst, np.full(6, 60.0), np.full(18, 1.0)])).open


def test_one_strange_entity_does_not_say_when_a_fault_began() -> None:
    """The onset is where most begin; what a fault moves within hours of its first sign still belongs to it."""
    early = episode("vm1/console", "console_proxied_ms", (0, 30))
    late = [episode(name, "console_proxied_ms", (24, 30)) for name in ("vm2/console", "vm2", "vm1")]
    resources = frozenset((e.entity, "console") for e in (early, *late))
    span, metrics = (START + 24 * HOUR, START + 30 * HOUR), Catalogue.load().metrics

    def onset(*found: Episode) -> np.datetime64:
        window = IncidentWindow(id="w", start=START, end=START + 30 * HOUR, entities=(), episodes=found)
        reach = frozenset(e.entity for e in found)
        return covered_by(window, span, resources, reach=reach, metrics=metrics).onset

    assert onset(early, *late) == START + 24 * HOUR
    assert onset(episode("vm1/console", "console_proxied_ms", (21, 30)), *late) == START + 21 * HOUR
    assert onset(early) == START
