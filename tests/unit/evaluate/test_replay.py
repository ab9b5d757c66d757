"""What all nights found together: what goes on over midnight, and what is left when some of it is quiet."""

import numpy as np

from brownout.domain.findings import AnomalyScores, Episode, SuppressedEpisode, SuppressionReason
from brownout.evaluate.replay import OwnNights, _Log, held_over
from brownout.evaluation.alarm_tracks import AlarmTrack

START = np.datetime64("2026-03-02", "ms")
MINUTE = np.timedelta64(60_000, "ms")
TIMES = START + np.arange(10) * MINUTE


def episode(name: str, entity: str, first: int, last: int) -> Episode:
    start, end = START + first * MINUTE, START + last * MINUTE
    return Episode(id=name, entity=entity, start=start, end=end, open=False, severity=2.0, movers=())


def test_what_goes_on_from_the_night_before_needs_no_new_confirmation() -> None:
    scores = AnomalyScores(("a", "b", "c"), (), TIMES, 60, np.zeros((3, 10), np.float32), np.zeros((3, 10, 0)))
    marks = np.zeros((3, 10), bool)
    marks[:, 3:6] = True
    found = [episode("old", "b", -30, 5), episode("new", "c", 0, 5)]
    held = held_over(marks, scores, found)
    assert [np.flatnonzero(row).tolist() for row in held] == [[3, 4, 5], [0, 1, 2, 3, 4, 5], [3, 4, 5]]
    assert np.flatnonzero(marks[1]).tolist() == [3, 4, 5]


def test_alarms_are_the_marks_of_episodes_that_are_not_quiet() -> None:
    marks = np.zeros(10, bool)
    marks[[1, 2, 6, 7]] = True
    first, second, other = episode("1", "a", 0, 3), episode("2", "a", 5, 8), episode("3", "b", 5, 8)
    muted = SuppressedEpisode(episode=second, why=SuppressionReason.ARTEFACT, reason="", because="ART-01")
    nights = OwnNights(
        found=(first, second, other),
        suppressed=(muted,),
        diagnoses=(),
        artefacts=(),
        tracks=(AlarmTrack("a", 60.0, TIMES, marks), AlarmTrack("b", 60.0, TIMES, marks)),
    )
    assert [one.id for one in nights.alarmed] == ["1", "3"]
    assert {track.entity: np.flatnonzero(track.alarms).tolist() for track in nights.alarms()} == {
        "a": [1, 2],
        "b": [6, 7],
    }


def test_what_goes_on_quietly_is_one_episode_and_alarmed_once_it_does_harm() -> None:
    log = _Log()
    one, other = (
        [
            SuppressedEpisode(episode=episode(name, "a", 0, last), why=SuppressionReason.MOVED, reason="", because="a")
            for last in (3, 8)
        ]
        for name in "12"
    )
    log.keep([], [one[0], other[0]])
    log.keep([], [one[1], other[1]])
    assert log.lone == [one[1], other[1]]
    log.keep([episode("2", "a", 0, 9)], [])
    log.keep([], [other[1]])
    assert log.lone == [one[1]]
    assert list(log.episodes) == ["2"]
