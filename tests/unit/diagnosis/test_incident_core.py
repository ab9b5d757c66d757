"""The core of an incident's span: where what moved was far out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations, observe
from brownout.diagnosis.incidents.incident_core import diagnose_phases, phases
from brownout.diagnosis.inference.cause_ranking import Diagnoser, Weights
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.nightly.context import DOUBT

START = np.datetime64("2026-03-02", "ms")
SLOTS = 1440


def at(minutes: int) -> np.datetime64:
    return START + np.timedelta64(minutes, "m")


def panel_of(*bumps: tuple[str, int, int, float]) -> Panel:
    """A guest that is ready 1 % of the time and up for ever longer, but for (metric, first, last, value)."""
    names = ("vm_ready_pct", "vm_uptime_h")
    values = np.ones((1, SLOTS, 2), np.float32)
    values[0, :, 1] = 100 + np.arange(SLOTS) / 60
    for name, first, last, value in bumps:
        values[0, first:last, names.index(name)] = value
    metrics = tuple(Catalogue.load().metrics[name] for name in names)
    return Panel(values=values, entities=(Entity(id="vm1", kind="vm"),), metrics=metrics, start=START, interval_s=60)


def window(start: int, end: int, *metrics: str) -> IncidentWindow:
    movers = tuple(
        Mover(series=Series("vm1", name), usual=1.0, peak=9.0, deviation=9.0, onset=at(start)) for name in metrics
    )
    episode = Episode(id="e", entity="vm1", start=at(start), end=at(end), open=False, severity=2.0, movers=movers)
    return IncidentWindow(id="w", start=at(start), end=at(end), entities=("vm1",), episodes=(episode,))


def spans(found: tuple[IncidentWindow, ...]) -> list[tuple[int, int]]:
    minute = np.timedelta64(1, "m")
    return [(int((w.start - START) / minute), int((w.end - START) / minute)) for w in found]


def test_the_core_is_where_the_metric_was_far_out_and_the_whole_span_comes_last() -> None:
    found = phases(window(600, 690, "vm_ready_pct"), [panel_of(("vm_ready_pct", 610, 632, 9.0))])
    assert spans(found) == [(610, 632), (600, 690)]
    assert all(phase.id == "w" and phase.episodes for phase in found)


def test_one_strange_sample_does_not_make_a_core() -> None:
    bumps = (("vm_ready_pct", 610, 632, 9.0), ("vm_ready_pct", 680, 681, 9.0))
    assert spans(phases(window(600, 690, "vm_ready_pct"), [panel_of(*bumps)]))[0] == (610, 632)


def test_a_long_incident_has_a_beginning_too() -> None:
    found = phases(window(600, 1000, "vm_ready_pct"), [panel_of(("vm_ready_pct", 900, 950, 9.0))])
    assert spans(found) == [(900, 950), (600, 720), (600, 1000)]


def test_what_only_tells_of_a_change_makes_no_core() -> None:
    """Uptime is low for a day after a restart, whether anything is wrong or not."""
    restarted = ("vm_uptime_h", 600, SLOTS, 1.0)
    found = phases(
        window(600, 690, "vm_uptime_h", "vm_ready_pct"), [panel_of(restarted, ("vm_ready_pct", 610, 632, 9.0))]
    )
    assert spans(found)[0] == (610, 632)
    assert spans(phases(window(600, 690, "vm_uptime_h"), [panel_of(restarted)])) == [(600, 690)]


def test_a_short_span_is_looked_at_with_what_surrounds_it() -> None:
    assert spans(phases(window(600, 601), [panel_of()])) == [(598, 603)]
    assert spans(phases(window(SLOTS - 1, SLOTS), [panel_of()])) == [(SLOTS - 3, SLOTS)]


def test_what_only_overlaps_is_looked_at_by_itself_worst_first() -> None:
    """Two guests' episodes on one host, one of which has been strange for hours: the short one is a span of its own."""
    panel = panel_of(("vm_ready_pct", 800, 830, 9.0))
    long, short = window(600, 1000).episodes[0], window(800, 840, "vm_ready_pct").episodes[0]
    both = replace(window(600, 1000), episodes=(replace(long, severity=1.1), replace(short, severity=3.0)))
    assert spans(phases(both, [panel])) == [(800, 830), (600, 720), (600, 1000)]
    calm = replace(both, episodes=(replace(short, movers=(), severity=3.0), replace(long, severity=1.1)))
    assert spans(phases(calm, [panel])) == [(600, 1000), (600, 720), (800, 840)]


TOPOLOGY = Topology.of(
    [
        Entity(id="h", kind="host"),
        Entity(id="vm1", kind="vm", parent="h"),
        Entity(id="vm1/console", kind="console", parent="vm1"),
        Entity(id="vm2", kind="vm", parent="h"),
    ]
)


class Scripted(Diagnoser):
    """Answers with one cause after the other, the last one for ever; an artefact's name begins with ART."""

    def __init__(self, *script: tuple[str, str]) -> None:
        super().__init__(Knowledge({}, {}))
        object.__setattr__(self, "script", list(script))

    def diagnose(
        self,
        window: IncidentWindow,
        panels: Sequence[Panel],  # noqa: ARG002
        topology: Topology,  # noqa: ARG002
        known: object = None,  # noqa: ARG002
    ) -> Diagnosis:
        script: list[tuple[str, str]] = self.script  # type: ignore[attr-defined]
        name, entity = script.pop(0) if len(script) > 1 else script[0]
        top = Cause(id=name, title="", family="cpu", entity=entity, probability=0.9, artefact=name.startswith("ART"))
        return Diagnosis(
            id="d", start=window.start, end=window.end, open=False, entities=window.entities, episodes=(), causes=(top,)
        )


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ([(UNKNOWN, ""), ("VIRT-16", "vm1"), ("ART-07", "vm1")], "VIRT-16"),
        ([(UNKNOWN, ""), ("ART-07", "vm1"), ("VIRT-16", "vm1")], "VIRT-16"),
        ([("ART-07", "vm1"), (UNKNOWN, ""), ("HW-06", "vm1/console")], "HW-06"),
        ([("ART-07", "vm1"), ("SW-05", "vm2"), (UNKNOWN, "")], "ART-07"),
        ([("ART-07", "vm1"), ("HW-01", "h")], "ART-07"),
        ([("ART-02", "h"), ("HW-01", "h")], "ART-02"),
        ([("ART-07", "vm1"), ("ART-03", "vm1")], "ART-07"),
        ([(UNKNOWN, "")], UNKNOWN),
    ],
)
def test_an_artefact_is_the_answer_only_where_no_phase_shows_a_fault_at_the_same_guest(
    script: list[tuple[str, str]], answer: str
) -> None:
    """A long incident has three phases: its core, its beginning, its whole span."""
    panels = [panel_of(("vm_ready_pct", 900, 950, 9.0))]
    found = diagnose_phases(Scripted(*script), window(600, 1000, "vm_ready_pct"), panels, TOPOLOGY)
    assert found.top.id == answer


def test_times_that_are_asked_about_again_are_observed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    panels, asked = [panel_of(("vm_ready_pct", 900, 950, 9.0))], list[object]()

    def counted(*span: Any) -> Observations:
        asked.append(span)
        return observe(*span)

    monkeypatch.setattr("brownout.diagnosis.inference.cause_ranking.observe", counted)
    known: dict[Any, Observations] = {}
    diagnoser, incident = Diagnoser(Knowledge({}, {})), window(600, 1000, "vm_ready_pct")
    first = diagnose_phases(diagnoser, incident, panels, TOPOLOGY, known)
    times = len(asked)
    assert times == len(known) == len(phases(incident, panels))
    assert diagnose_phases(diagnoser, incident, panels, TOPOLOGY, known) == first
    assert diagnose_phases(diagnoser, incident, panels, TOPOLOGY) == first
    assert len(asked) == 2 * times


def test_what_our_own_detection_found_needs_more_evidence_than_what_somebody_reports() -> None:
    """The same evidence leaves an incident of our own likelier to be unknown."""
    panels, span = [panel_of(("vm_ready_pct", 900, 950, 9.0))], window(900, 950, "vm_ready_pct")
    unknown = []
    for doubt in (0.0, DOUBT):
        diagnoser = Diagnoser(Knowledge.load(), Weights(unknown=Weights.unknown + doubt))
        causes = diagnoser.diagnose(span, panels, TOPOLOGY).causes
        unknown.append(next(cause.probability for cause in causes if cause.id == UNKNOWN))
    assert unknown[0] < unknown[1]


def test_each_phase_is_asked_about_the_guests_that_its_host_had_then() -> None:
    """A guest that came in the middle of a long incident can be the culprit of what happens at its end."""
    came = Entity(id="vm3", kind="vm").placed([(START, "other"), (at(900), "h")])
    fleet = Topology.of([*TOPOLOGY, Entity(id="other", kind="host"), came])
    asked: list[tuple[np.datetime64, tuple[str, ...]]] = []

    class Listening(Scripted):
        def diagnose(self, window: IncidentWindow, *others: Any) -> Diagnosis:
            asked.append((window.start, window.entities))
            return super().diagnose(window, *others)

    long = replace(
        window(600, 1000, "vm_ready_pct"), entities=fleet.related_during("vm1", at(600), at(1000)),
    )  # fmt: skip
    assert "vm3" in long.entities
    diagnose_phases(Listening(("unknown", "")), long, [panel_of(("vm_ready_pct", 910, 950, 60.0))], fleet)
    assert {"vm3" in entities for start, entities in asked if start >= at(900)} == {True}
    assert {"vm3" in entities for start, entities in asked if start < at(900)} == {False}
