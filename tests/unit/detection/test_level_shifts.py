"""A level that has shifted and stayed is accepted after the stated time, and what follows is judged from there."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from brownout.detection.baseline.level_shifts import (
    lasting_shifts,
    moved_to_new_level,
    rescored_after_shifts,
    with_accepted_shifts,
)
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.entities import Entity
from brownout.domain.findings import Episode, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float, Panel

START = np.datetime64("2026-03-02", "ms")
DAY = 288
ONSET = 8 * DAY + 100
CPU = Series("vm", "cpu")


def panel(change: Callable[[Float], Float] = lambda v: v, *, days: int = 12, limit: float | None = None) -> Panel:
    """Three metrics with a day's season and noise, the first of them changed from the onset on."""
    rng, slots = np.random.default_rng(11), np.arange(days * DAY)
    season = 20 + 6 * np.sin(2 * np.pi * slots / DAY)
    values = (season[:, None] + rng.normal(0, 0.7, (len(slots), 3))).astype(np.float32)
    values[ONSET:, 0] = change(values[ONSET:, 0])
    metrics = tuple(Metric(name=name, worse=Worse.UP, limit=limit) for name in ("cpu", "memory", "disk"))
    return Panel(values[None], START, 300, (Entity(id="vm", kind="vm"),), metrics)


def moved(made: Panel, slot: int = ONSET) -> Episode:
    """An episode of two hours that the first metric led."""
    start = made.times[slot]
    mover = Mover(series=CPU, usual=20, peak=40, deviation=20, onset=start)
    return Episode(
        id="e", entity="vm", start=start, end=start + 24 * made.step, open=False, severity=2, movers=(mover,)
    )


def test_a_step_that_stays_is_a_shift_by_what_it_differs_from_the_days_before() -> None:
    made = panel(lambda v: v + 15)
    (shift,) = lasting_shifts([moved(made)], made, 24)
    assert (shift.series, shift.onset, shift.at) == (CPU, made.times[ONSET], made.times[ONSET + DAY])
    assert shift.level - shift.usual == pytest.approx(15, abs=0.3)
    assert not shift.factor


def test_what_grows_with_the_day_is_a_factor() -> None:
    made = panel(lambda v: v * 3)
    (shift,) = lasting_shifts([moved(made)], made, 24)
    assert shift.factor
    assert shift.level / shift.usual == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v,
        lambda v: v + np.where(np.arange(len(v)) < DAY // 2, 15, 0),  # over after half a day
        lambda v: v + np.linspace(0, 60, len(v)),  # still growing: a leak never becomes usual
        lambda v: v + 15 * (np.arange(len(v)) // 20 % 2),  # comes and goes
        lambda v: np.where(np.arange(len(v)) < 200, np.nan, v + 15),  # hardly measured
    ],
)
def test_what_does_not_stay_is_none(change: Callable[[Float], Float]) -> None:
    made = panel(change)
    assert lasting_shifts([moved(made)], made, 24) == ()


def test_a_level_beyond_its_limit_or_younger_than_the_stated_time_is_never_usual() -> None:
    assert lasting_shifts([moved(panel(lambda v: v + 15, limit=30))], panel(lambda v: v + 15, limit=30), 24) == ()
    young = panel(lambda v: v + 15, days=9)
    assert lasting_shifts([moved(young)], young, 24) == ()
    assert len(lasting_shifts([moved(young)], young, 12)) == 1


def test_what_there_was_nothing_of_does_not_become_usual() -> None:
    made = panel(lambda v: v + 15)
    made.values[0, :ONSET, 0], made.values[0, ONSET:, 0] = 0, 1
    assert lasting_shifts([moved(made)], made, 24) == ()
    made.values[0, :ONSET, 0] = 0.5
    assert len(lasting_shifts([moved(made)], made, 24)) == 1


def test_the_past_moves_to_the_new_level_and_a_second_shift_moves_both() -> None:
    made = panel()
    (one,) = lasting_shifts([moved(panel(lambda v: v + 15))], panel(lambda v: v + 15), 24)
    two = replace(one, onset=made.times[ONSET + 400], usual=10.0, level=20.0, factor=True)
    found = moved_to_new_level(made, [two, one]).values[0, :, 0]
    before = made.values[0, :, 0]
    by = one.level - one.usual
    assert np.allclose(found[:ONSET], (before[:ONSET] + by) * 2, rtol=1e-5)
    assert np.allclose(found[ONSET : ONSET + 400], before[ONSET : ONSET + 400] * 2, rtol=1e-5)
    assert np.array_equal(found[ONSET + 400 :], before[ONSET + 400 :])
    assert np.array_equal(moved_to_new_level(made, [two, one]).values[..., 1:], made.values[..., 1:])


def test_after_acceptance_the_new_level_is_quiet_and_another_incident_on_it_is_not() -> None:
    def change(values: Float) -> Float:
        changed = values + 15
        changed[int(2.5 * DAY) : int(2.5 * DAY) + 30] += 20
        return changed

    made, first = panel(change), 7 * DAY
    detector = IsolationForestDetector().fit([made.between(made.start, made.times[first])])
    plain = detector.score(made, first)
    scores, shifts = rescored_after_shifts(detector, plain, made, (), 24)
    assert [shift.series for shift in shifts] == [CPU]
    at, incident = shifts[0].at, made.times[ONSET + int(2.5 * DAY)]
    found = with_accepted_shifts(find_episodes(scores, made), shifts)
    assert [episode.shifts for episode in found if abs(episode.start - made.times[ONSET]) <= 3 * made.step] == [shifts]
    late = [episode for episode in found if episode.start >= at]
    assert [abs(episode.start - incident) <= 3 * made.step for episode in late] == [True]
    assert np.array_equal(scores.levels[:, : made.slot(at) - first], plain.levels[:, : made.slot(at) - first])  # type: ignore[index]
    again, known = rescored_after_shifts(detector, plain, made, shifts, 24)
    assert known == shifts
    assert np.array_equal(again.levels, scores.levels, equal_nan=True)  # type: ignore[arg-type]
