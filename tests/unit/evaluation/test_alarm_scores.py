"""What a night alarms, counted by hand on a day of two hosts."""

import numpy as np

from brownout.domain.entities import Entity, Topology
from brownout.domain.truth import Incident
from brownout.evaluation.alarm_scores import alarm_scores
from brownout.evaluation.alarm_tracks import AlarmTrack

START = np.datetime64("2026-03-02", "ms")
MINUTE = np.timedelta64(60_000, "ms")
TOPOLOGY = Topology.of(
    [
        Entity(id="h1", kind="host"),
        Entity(id="vm1", kind="vm", parent="h1"),
        Entity(id="h2", kind="host"),
        Entity(id="vm2", kind="vm", parent="h2"),
    ]
)


def track(entity: str, *spans: tuple[int, int]) -> AlarmTrack:
    alarms = np.zeros(1440, bool)
    for first, last in spans:
        alarms[first:last] = True
    return AlarmTrack(entity, 60.0, START + np.arange(1440) * MINUTE, alarms)


def incident(name: str, cause: str, entity: str, start: int, end: int) -> Incident:
    return Incident(
        id=name, group="", start=START + start * MINUTE, end=START + end * MINUTE, entity=entity, cause=cause
    )


INCIDENTS = [
    incident("cpu", "HW-01", "h1", 100, 200),
    incident("sifted", "HW-01", "vm2", 300, 400),
    incident("unseen", "NET-01", "h2", 600, 700),
    incident("restart", "ART-07", "vm1", 800, 830),
    incident("screen", "ART-01", "vm2", 900, 960),
    incident("before", "HW-01", "h1", -60, -10),
]


def test_faults_artefacts_and_what_is_false_are_counted_before_and_after_sifting() -> None:
    found = [track("h1"), track("vm1", (104, 150), (801, 820), (1200, 1210)), track("h2"), track("vm2", (310, 330))]
    alarmed = [track("h1"), track("vm1", (104, 150), (1200, 1210)), track("h2"), track("vm2")]
    scores = alarm_scores(found, alarmed, INCIDENTS, TOPOLOGY, {"ART-01", "ART-07"})
    assert scores["faults"] == 3
    assert scores["found"] == 2 / 3
    assert scores["alarmed"] == 1 / 3
    assert scores["alarmed_at_culprit"] == 0
    assert scores["median_delay_intervals"] == 4
    assert scores["by_cause"] == {"HW-01": {"faults": 2, "alarmed": 1}, "NET-01": {"faults": 1, "alarmed": 0}}
    assert [(one["incident"], one["found"]) for one in scores["missed"]] == [("sifted", True), ("unseen", False)]  # type: ignore[attr-defined]
    assert scores["missed"][1] == {  # type: ignore[index]
        "incident": "unseen", "cause": "NET-01", "entity": "h2",
        "start": "2026-03-02T10:00:00Z", "end": "2026-03-02T11:40:00Z", "found": False,
    }  # fmt: skip
    assert scores["artefacts"] == {"judged": 2, "found": 1, "alarmed": 0}
    # An alarm about an artefact is false: two of them before sifting, one after, of two guests in one day.
    assert scores["false_episodes"] == 1
    assert scores["false_episodes_per_guest_day"] == 0.5
    assert scores["false_episodes_per_guest_day_before_sifting"] == 1


def test_a_fleet_without_incidents_has_only_false_alarms() -> None:
    scores = alarm_scores([track("vm1", (5, 9))], [track("vm1", (5, 9))], [], TOPOLOGY, set())
    assert (scores["faults"], scores["alarmed"], scores["missed"], scores["by_cause"]) == (0, None, [], {})
    assert scores["false_episodes_per_guest_day"] == 1


def test_a_track_keeps_the_runs_that_overlap_a_span_whole() -> None:
    whole = track("vm1", (10, 20), (30, 40), (50, 60))
    kept = whole.only([(START + 15 * MINUTE, START + 16 * MINUTE), (START + 40 * MINUTE, START + 50 * MINUTE)])
    # Ends are exclusive: minute 40 is after the second run, minute 50 not yet the third.
    assert np.flatnonzero(kept.alarms).tolist() == list(range(10, 20))
    assert np.flatnonzero(whole.only([(START + 39 * MINUTE, START + 51 * MINUTE)]).alarms).tolist() == [
        *range(30, 40),
        *range(50, 60),
    ]
    assert not whole.only([]).alarms.any()


def test_an_alarm_holds_for_the_slot_of_a_sample_and_not_in_a_gap() -> None:
    times = START + np.array([0, 1, 5]) * MINUTE
    gappy = AlarmTrack("vm1", 60.0, times, np.array([False, True, True]))
    asked = START + np.array([-30, 0, 59, 60, 119, 120, 299, 300, 359, 360]) * np.timedelta64(1000, "ms")
    assert gappy.at(asked).tolist() == [False, False, False, True, True, False, False, True, True, False]
    assert AlarmTrack("vm1", 60.0, times[:0], np.array([], bool)).at(asked).tolist() == [False] * 10
