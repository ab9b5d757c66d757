"""Alarms of a small fleet against incidents, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.truth import Incident
from brownout.evaluation.alarm_tracks import AlarmTrack, incident_scores

START = np.datetime64("2026-03-02", "ms")
TOPOLOGY = Topology.of(
    [
        Entity(id="h1", kind="host"),
        Entity(id="vm1", kind="vm", parent="h1"),
        Entity(id="vm1/console", kind="console", parent="vm1"),
        Entity(id="h2", kind="host"),
        Entity(id="vm2", kind="vm", parent="h2"),
    ]
)


def at(minutes: float) -> np.datetime64:
    return START + np.timedelta64(round(minutes * 60_000), "ms")


def track(entity: str, *spans: tuple[int, int]) -> AlarmTrack:
    alarms = np.zeros(1440, bool)
    for first, last in spans:
        alarms[first:last] = True
    return AlarmTrack(entity, 60.0, START + np.arange(1440) * np.timedelta64(60_000, "ms"), alarms)


def incident(name: str, entity: str, start: float, end: float) -> Incident:
    return Incident(id=name, group="", start=at(start), end=at(end), entity=entity, cause="X")


INCIDENTS = [incident("a", "h1", 100, 200), incident("b", "vm2", 600, 700), incident("early", "h1", -50, -10)]


def test_a_consequence_on_the_same_host_sees_the_incident_and_is_not_false() -> None:
    tracks = [track("h1"), track("vm1"), track("vm1/console", (103, 150)), track("h2"), track("vm2", (610, 620))]
    found = incident_scores(tracks, INCIDENTS, TOPOLOGY)
    assert found["incidents"] == 2
    assert found["seen"] == 1
    assert found["seen_at_culprit"] == 0.5
    assert found["median_delay_intervals"] == 6.5
    assert found["false_episodes"] == 0


def test_elsewhere_or_at_another_time_it_is_false() -> None:
    tracks = [track("h1"), track("vm1", (40, 50), (215, 220), (300, 310)), track("h2"), track("vm2", (110, 120))]
    found = incident_scores(tracks, INCIDENTS, TOPOLOGY)
    assert found["seen"] == 0
    assert found["false_episodes"] == 3
    assert found["false_episodes_per_guest_day"] == pytest.approx(3 / 2)
    assert found["false_episodes_per_entity_day"] == pytest.approx(3 / 4)
    assert found["median_delay_intervals"] is None


def test_alarms_and_incidents_meet_on_the_host_that_the_guest_was_on() -> None:
    moved = [replace(e, parent="h2", former=((at(400), "h1"),)) if e.id == "vm1" else e for e in TOPOLOGY]
    tracks = [track("h1"), track("vm1", (110, 120), (610, 620)), track("h2"), track("vm2")]
    found = incident_scores(tracks, INCIDENTS, Topology.of(moved))
    assert (found["seen"], found["false_episodes"]) == (1, 0)
    assert incident_scores(tracks, INCIDENTS, TOPOLOGY)["seen"] == 0.5
    late = [track("h1"), track("vm1", (410, 420)), track("h2"), track("vm2")]
    lasting = [incident("a", "h1", 100, 450)]
    assert incident_scores(late, lasting, Topology.of(moved))["false_episodes"] == 1
