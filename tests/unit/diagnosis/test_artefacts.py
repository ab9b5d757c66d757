"""What looks like a fault and is none is told apart; a fault beside it stays an alarm."""

from collections.abc import Mapping

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.separation import Sifted, sift
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import (
    Cause,
    Diagnosis,
    Episode,
    Evidence,
    EvidenceRole,
    EvidenceState,
    Mover,
    SuppressionReason,
)
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-16T00:00", "ms")
DAY, SLOTS = 288, 288 * 4
SPAN = slice(DAY * 3 + 120, DAY * 3 + 144)
GUESTS = tuple(Entity(id=f"vm{n}", kind="vm", parent="kvm1") for n in (1, 2))
CONSOLES = tuple(Entity(id=f"vm{n}/console", kind="console", parent=f"vm{n}") for n in (1, 2))
HOSTS = (Entity(id="kvm1", kind="host"),)
TOPOLOGY = Topology.of([*HOSTS, Entity(id="path", kind="link", parent="kvm1"), *GUESTS, *CONSOLES])
CALM = {
    "vm_cpu_pct": 20.0,
    "vm_paused": 0.0,
    "console_update_ms": 20.0,
    "console_connect_ms": 1.0,
    "console_mainloop_ms": 0.5,
    "console_probe_lag_ms": 0.3,
    "console_echo_lost_pct": 0.0,
    "host_clock_offset_ms": 3.0,
    "host_cpu_busy_pct": 30.0,
}


def sifted(
    moved: Mapping[tuple[str, str], float], abnormal: tuple[str, ...], shares: Mapping[str, float] | None = None
) -> Sifted:
    """What becomes of episodes of some entities while some metrics have other values."""
    rng, catalogue = np.random.default_rng(3), Catalogue.load().metrics
    panels = []
    for entities, prefix in ((GUESTS, "vm_"), (CONSOLES, "console_"), (HOSTS, "host_")):
        metrics = tuple(catalogue[name] for name in CALM if name.startswith(prefix))
        values = np.empty((len(entities), SLOTS, len(metrics)), np.float32)
        for column, metric in enumerate(metrics):
            values[..., column] = CALM[metric.name] * rng.uniform(0.9, 1.1, values.shape[:2])
            for row, entity in enumerate(entities):
                if (entity.id, metric.name) in moved:
                    values[row, SPAN, column] = moved[entity.id, metric.name]
        panels.append(Panel(values, START, 300, entities, metrics))
    start, end = panels[0].times[SPAN.start], panels[0].times[SPAN.stop]
    found = [
        Episode(
            id=e,
            entity=e,
            start=start,
            end=end,
            open=False,
            severity=2.0,
            movers=tuple(
                Mover(series=Series(e, m), usual=1, peak=2, deviation=9, onset=start, share=share)
                for m, share in (shares or {}).items()
            ),
        )
        for e in abnormal
    ]
    (window,) = group_episodes(found, TOPOLOGY)
    diagnoser, seen = Diagnoser(Knowledge.load()), [panel.between(START, end) for panel in panels]
    return sift(window, lambda part: diagnoser.diagnose(part, seen, TOPOLOGY), diagnoser.knowledge, TOPOLOGY)


PAUSED = {("vm1", "vm_paused"): 1.0, ("vm1", "vm_cpu_pct"): 0.0, ("vm1/console", "console_echo_lost_pct"): 100.0}


def test_a_paused_guest_and_its_console_are_not_alarmed() -> None:
    found = sifted(PAUSED, ("vm1", "vm1/console"))
    assert found.diagnoses == ()
    assert {(quiet.episode.id, quiet.why, quiet.because) for quiet in found.suppressed} == {
        ("vm1", SuppressionReason.ARTEFACT, "ART-03"),
        ("vm1/console", SuppressionReason.ARTEFACT, "ART-03"),
    }
    assert all(quiet.reason.startswith("Guest paused or shut off at vm1: vm1 was paused") for quiet in found.suppressed)


def test_what_happens_beside_an_artefact_stays_an_alarm() -> None:
    found = sifted(PAUSED | {("vm2", "vm_cpu_pct"): 100.0}, ("vm1", "vm2"))
    assert [quiet.episode.id for quiet in found.suppressed] == ["vm1"]
    assert [diagnosis.episodes for diagnosis in found.diagnoses] == [("vm2",)]
    assert not found.diagnoses[0].top.artefact


def test_what_begins_hours_after_an_artefact_is_asked_about_by_itself() -> None:
    """A restart of the morning does not keep a full uplink of the evening quiet."""

    def part(entity: str, hours: tuple[float, float], metric: str) -> Episode:
        start, end = (START + np.timedelta64(round(h * 60), "m") for h in hours)
        mover = Mover(series=Series(entity, metric), usual=1, peak=9, deviation=9, onset=start, share=1.0)
        return Episode(id=entity, entity=entity, start=start, end=end, open=False, severity=2.0, movers=(mover,))

    def diagnose(window: IncidentWindow) -> Diagnosis:
        restart = any(e.entity == "kvm1" for e in window.episodes)
        seen = Evidence(
            symptom="host_restarted", role=EvidenceRole.NECESSARY, state=EvidenceState.PRESENT, strength=1,
            series=Series("kvm1", "host_uptime_h"), statement="",
        )  # fmt: skip
        top = Cause(
            id="ART-09" if restart else "NET-03", title="", family="", entity="kvm1" if restart else "path",
            probability=0.9, artefact=restart, evidence=(seen,) if restart else (),
        )  # fmt: skip
        return Diagnosis(
            id=window.id, start=window.start, end=window.end, open=False, entities=window.entities,
            episodes=tuple(e.id for e in window.episodes), causes=(top,),
        )  # fmt: skip

    found = [
        part("kvm1", (1, 14), "host_uptime_h"), part("vm1/console", (1.2, 2), "console_failed_pct"),
        part("path", (11, 13), "link_loss_pct"),
    ]  # fmt: skip
    (window,) = group_episodes(found, TOPOLOGY)
    sorted_out = sift(window, diagnose, Knowledge.load(), TOPOLOGY)
    assert {quiet.episode.id for quiet in sorted_out.suppressed} == {"kvm1", "vm1/console"}
    assert [(d.top.id, d.episodes) for d in sorted_out.diagnoses] == [("NET-03", ("path",))]


def test_an_artefact_elsewhere_explains_nothing_here() -> None:
    found = sifted(PAUSED, ("vm2",))
    assert (found.suppressed, [diagnosis.episodes for diagnosis in found.diagnoses]) == ((), [("vm2",)])


def test_a_late_probe_explains_the_consoles_but_not_the_guests() -> None:
    late = {
        (c.id, name): value
        for c in CONSOLES
        for name, value in (("console_probe_lag_ms", 80.0), ("console_connect_ms", 80.0), ("console_update_ms", 100.0))
    }
    found = sifted(late, ("vm1/console", "vm2/console", "vm2"))
    assert {(quiet.episode.id, quiet.because) for quiet in found.suppressed} == {
        ("vm1/console", "ART-02"),
        ("vm2/console", "ART-02"),
    }
    assert [diagnosis.episodes for diagnosis in found.diagnoses] == [("vm2",)]


def test_slow_consoles_without_a_late_probe_are_an_alarm() -> None:
    slow = {(c.id, name): 80.0 for c in CONSOLES for name in ("console_connect_ms", "console_update_ms")}
    found = sifted(slow, ("vm1/console", "vm2/console"))
    assert found.suppressed == ()
    assert len(found.diagnoses) == 1


def test_a_clock_that_was_set_is_no_alarm_and_one_that_drifts_is() -> None:
    found = sifted({("kvm1", "host_clock_offset_ms"): 1_800_000.0}, ("kvm1", "vm1"))
    assert {(quiet.episode.id, quiet.because) for quiet in found.suppressed} == {("kvm1", "ART-08"), ("vm1", "ART-08")}
    assert found.diagnoses == ()
    drifts = sifted({("kvm1", "host_clock_offset_ms"): 900.0}, ("kvm1",))
    assert (drifts.suppressed, [diagnosis.top.id for diagnosis in drifts.diagnoses]) == ((), ["MAINT-06"])


def test_a_fault_while_a_clock_is_wrong_stays_an_alarm() -> None:
    moved = {("kvm1", "host_clock_offset_ms"): 1_800_000.0, ("kvm1", "host_cpu_busy_pct"): 99.0}
    found = sifted(moved, ("kvm1", "vm1"))
    assert found.suppressed == ()
    assert {cause.id for cause in found.diagnoses[0].told} == {"ART-08", "HW-01"}


def test_an_episode_that_only_a_pause_has_made_is_a_pause() -> None:
    found = sifted({}, ("vm1",), {"vm_paused": 0.6, "vm_cpu_pct": 0.1})
    assert [quiet.because for quiet in found.suppressed] == ["ART-03"]
    assert found.diagnoses == ()


def test_one_that_other_metrics_have_made_too_stays_an_alarm() -> None:
    found = sifted({}, ("vm1",), {"vm_paused": 0.8, "vm_cpu_pct": 0.2})
    assert (found.suppressed, len(found.diagnoses)) == ((), 1)


def test_one_that_its_pause_has_made_in_part_only_stays_an_alarm() -> None:
    found = sifted({}, ("vm1",), {"vm_paused": 0.4, "vm_cpu_pct": 0.1})
    assert (found.suppressed, len(found.diagnoses)) == ((), 1)


@pytest.mark.parametrize(
    ("causes", "quiet"),
    [
        ([("ART-03", 0.85), ("unknown", 0.15)], True),
        ([("ART-03", 0.5), ("ART-05", 0.4), ("unknown", 0.1)], True),
        ([("ART-03", 0.6), ("HW-01", 0.4)], False),
        ([("HW-01", 0.5), ("ART-03", 0.25), ("ART-05", 0.25)], False),
        ([("unknown", 0.1), ("ART-03", 0.45), ("ART-05", 0.45)], False),
    ],
)
def test_only_what_is_surely_an_artefact_is_left_unalarmed(causes: list[tuple[str, float]], quiet: bool) -> None:  # noqa: FBT001
    found, asked = answered([cause(name, p) for name, p in causes])
    assert (bool(found.suppressed), bool(found.diagnoses), len(found.artefacts), asked) == (
        quiet,
        not quiet,
        int(quiet),
        1,
    )


def cause(name: str, probability: float, *, entity: str = "vm1", contributing: bool = False) -> Cause:
    artefact = name.startswith("ART")
    return Cause(
        id=name,
        title=name,
        family="cpu",
        entity=entity,
        probability=probability,
        artefact=artefact,
        contributing=contributing,
    )


def answered(causes: list[Cause]) -> tuple[Sifted, int]:
    """What becomes of an episode of vm1 where every diagnosis says the same, and how often one was asked for."""
    episode = Episode(id="e", entity="vm1", start=START, end=START + 1, open=False, severity=2.0, movers=())
    (window,) = group_episodes([episode], TOPOLOGY)
    asked = []

    def diagnose(part: IncidentWindow) -> Diagnosis:
        asked.append(part)
        return Diagnosis(
            id=part.id,
            start=part.start,
            end=part.end,
            open=False,
            entities=part.entities,
            episodes=("e",),
            causes=tuple(causes),
        )

    return sift(window, diagnose, Knowledge.load(), TOPOLOGY), len(asked)


def test_a_fault_told_beside_an_artefact_on_the_same_guest_stays_an_alarm() -> None:
    artefact, unknown = cause("ART-03", 0.9), cause("unknown", 0.1)
    found, _ = answered([artefact, cause("SW-05", 0.7, contributing=True), unknown])
    assert (found.suppressed, len(found.diagnoses)) == ((), 1)
    found, _ = answered([artefact, cause("SW-05", 0.7, entity="vm2", contributing=True), unknown])
    assert (len(found.suppressed), found.diagnoses) == (1, ())


def test_a_further_artefact_makes_an_unsure_one_no_surer() -> None:
    found, _ = answered([cause("ART-03", 0.5), cause("ART-05", 0.9, contributing=True), cause("unknown", 0.5)])
    assert (found.suppressed, len(found.diagnoses)) == ((), 1)
