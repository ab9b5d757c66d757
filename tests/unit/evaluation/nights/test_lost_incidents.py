"""Fates of small replays by hand: where an incident gets lost, and what false lines are about."""

import numpy as np
import pandas as pd
import pytest

from brownout.domain.truth import Incident
from brownout.evaluation.nights import Fate, Harmless, Labelled, NightTruth, false_lines, fates_of, judge_nights

START = np.datetime64("2026-03-02", "ms")
ROOTS = {"h1": "h1", "vm1": "h1", "vm2": "h1", "vm3": "h2"}
TOLD = ["night", "incident", "entity", "cause", "probability", "start", "open", "alarmed", "rank"]
SEEN = ["night", "entity", "start", "end", "why", "because", "incident"]


def at(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 3600), "s")


def label(entity: str, start: float, end: float, cause: str = "X") -> Labelled:
    incident = Incident(id=f"{entity}@{start}", group="", start=at(start), end=at(end), entity=entity, cause=cause)
    return Labelled(incident=incident, roots=frozenset([ROOTS[entity]]))


def line(name: str, entity: str, start: float, cause: str = "X", night: float = 24) -> tuple[object, ...]:
    return at(night), name, entity, cause, 0.9, at(start), False, True, 0


def seen(entity: str, start: float, end: float, why: str = "", incident: str = "") -> tuple[object, ...]:
    return at(24), entity, at(start), at(end), why, f"because of {why}", incident


def fate_of(
    labels: list[Labelled], lines: list[tuple[object, ...]], episodes: list[tuple[object, ...]]
) -> dict[str, Fate]:
    truth = NightTruth(labels=labels, roots=ROOTS)
    told = pd.DataFrame(lines, columns=TOLD)
    judged = judge_nights(told, truth, nights=[at(24)])
    found = fates_of(judged, told, pd.DataFrame(episodes, columns=SEEN), truth)
    return {one.label.incident.id: one.fate for one in found}


@pytest.mark.parametrize(("lines", "episodes", "fate"), [
    ([], [], Fate.NEVER),
    ([], [seen("vm1", 1, 2)], Fate.NEVER),
    ([], [seen("vm3", 4, 5)], Fate.NEVER),
    ([line("a", "vm2", 15, "Y")], [seen("vm2", 4, 5, "", "a")], Fate.ELSEWHERE),
    ([], [seen("vm1", 4, 5, "chance")], Fate.CHANCE),
    ([], [seen("h1", 4, 5, "chance")], Fate.CHANCE),
    ([], [seen("vm1", 4, 5, "artefact"), seen("vm1", 5, 6, "outlier")], Fate.ARTEFACT),
    ([line("a", "vm2", -9, "Y")], [seen("vm1", 4, 5, "", "a")], Fate.GROUPED),
    ([line("a", "vm1", 4, "Y")], [], Fate.WRONG_CAUSE),
    ([line("a", "vm1", 4, "unknown")], [], Fate.CAUSE_UNKNOWN),
    ([line("a", "vm2", 4)], [], Fate.WRONG_ENTITY),
    ([line("a", "vm2", 4, "Y")], [], Fate.MISNAMED),
    ([line("a", "vm1", 4)], [seen("vm1", 4, 5, "", "a")], Fate.TOLD),
])  # fmt: skip
def test_an_incident_is_lost_at_the_furthest_place_that_it_came_to(
    lines: list[tuple[object, ...]], episodes: list[tuple[object, ...]], fate: Fate
) -> None:
    assert fate_of([label("vm1", 3, 6)], lines, episodes) == {"vm1@3": fate}


def test_a_right_cause_told_beside_another_one_is_not_lost_among_the_misnamed() -> None:
    both = [label("vm1", 3, 6), label("vm2", 3, 6, "Y")]
    lines = [line("a", "vm1", 3), (at(24), "a", "vm2", "Y", 0.8, at(3), False, True, 0)]
    assert fate_of(both, lines, []) == {"vm1@3": Fate.TOLD, "vm2@3": Fate.BESIDE}


def test_only_what_is_suppressed_counts_as_suppressed() -> None:
    assert {fate.name for fate in Fate if fate.suppressed} == {"OUTLIER", "MOVED", "FEEDBACK", "ARTEFACT", "CHANCE"}


def test_a_false_incident_stands_once_with_the_harmless_events_at_its_entity() -> None:
    backup = Harmless(root="h1", start=at(2), end=at(4), kind="backup", entity="vm1")
    elsewhere = Harmless(root="h1", start=at(2), end=at(4), kind="scan", entity="vm2")
    truth = NightTruth(labels=[label("vm3", 3, 6)], roots=ROOTS, harmless=[backup, elsewhere])
    lines = [line("a", "vm1", 3), line("a", "vm1", 3, night=48), line("b", "vm3", 3)]
    judged = judge_nights(pd.DataFrame(lines, columns=TOLD), truth)
    (found,) = false_lines(judged, truth)
    assert (found["incident"], found["nights"], found["near"]) == ("a", 2, ["backup"])
