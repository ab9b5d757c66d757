"""What all nights found together: what goes on over midnight, and what is left when some of it is quiet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import night

from brownout.detection.alert_state import AlertState
from brownout.domain.findings import AnomalyScores, Episode, SuppressedEpisode, SuppressionReason
from brownout.evaluate.own_nights import OwnNights, _Log, held_over
from brownout.evaluate.replay import nights_of, replay
from brownout.evaluation.alarm_tracks import AlarmTrack
from brownout.nightly.run import NightResult
from brownout.settings import DetectSettings, Settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset

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
        episodes=(first, second, other),
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


def told(*, alarmed: tuple[Episode, ...] = (), quiet: tuple[Episode, ...] = ()) -> NightResult:
    suppressed = tuple(
        SuppressedEpisode(episode=one, why=SuppressionReason.MOVED, reason="", because="a") for one in quiet
    )
    made = replace(night(), episodes=alarmed, suppressed=suppressed, diagnoses=())
    return NightResult(night=made, shards=(), batches=())


def test_what_goes_on_quietly_is_one_episode_and_alarmed_once_it_does_harm() -> None:
    log = _Log()
    one, other = ([episode(name, "a", 0, last) for last in (3, 8)] for name in "12")
    log.add(told(quiet=(one[0], other[0])))
    log.add(told(quiet=(one[1], other[1])))
    assert [quiet.episode for quiet in log.nights().suppressed] == [one[1], other[1]]
    log.add(told(alarmed=(episode("2", "a", 0, 9),)))
    log.add(told(quiet=(other[1],)))
    assert [quiet.episode for quiet in log.nights().suppressed] == [one[1]]
    assert [alarmed.id for alarmed in log.nights().alarmed] == ["2"]


@pytest.mark.usefixtures("quick_training")
def test_nights_are_blind_to_what_comes_later_and_know_the_night_before(tmp_path: Path) -> None:
    made = simulate(FleetSettings(hosts=2, vms=4, days=8, interval_s=600, seed=3, faults=4))
    write_dataset(made, tmp_path / "fleet", name="fleet")
    dataset, settings = Dataset.open(tmp_path / "fleet"), Settings(detect=DetectSettings(window_days=2))
    spans = tuple(nights_of(dataset, settings, None))
    whole = list(replay(dataset, settings, spans))
    assert len(whole) == len(spans) > 1
    cut = list(replay(StoreAsOf(dataset, spans[0].end), settings, spans[:1]))
    assert cut[0].night.episodes == whole[0].night.episodes
    assert cut[0].night.diagnoses == whole[0].night.diagnoses
    assert any(result.night.episodes for result in whole)
    known = {one.id for one in AlertState.after(whole[0].night).known if one.open}
    assert known <= {one.id for one in AlertState.after(whole[1].night).known}
