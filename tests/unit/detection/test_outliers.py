"""A single far sample of one metric is no brownout; anything more is."""

import numpy as np
import pytest

from brownout.detection.episodes.outliers import single_sample_episodes
from brownout.domain.entities import Entity
from brownout.domain.findings import Episode, Mover, SuppressionReason
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-16", "ms")


def found(  # noqa: PLR0913 - what tests vary
    far: list[int],
    *,
    length: int = 60,
    slots: int = 200,
    interval_s: int = 60,
    share: float = 1.0,
    rules: tuple[str, ...] = (),
) -> list[str]:
    """Reasons for an episode from slot 100 on whose samples at some slots are far."""
    values = np.zeros((1, slots, 1), np.float32)
    values[0, far, 0] = 12.5
    panel = Panel(values, START, interval_s, (Entity(id="nic"),), (Metric(name="errors", title="Errors", unit="1/s"),))
    start, end = panel.times[100], panel.times[100] + length * panel.step
    mover = Mover(series=Series("nic", "errors"), usual=0.0, peak=0.0, deviation=99.0, onset=start, share=share)
    episode = Episode(
        id="e", entity="nic", start=start, end=end, open=False, severity=2.5, movers=(mover,), rules=rules
    )
    quiet = single_sample_episodes([episode], panel)
    assert all((one.why, one.because) == (SuppressionReason.OUTLIER, "errors") for one in quiet)
    return [one.reason for one in quiet]


def test_a_single_sample_is_no_alarm_and_says_which() -> None:
    assert found([100]) == ["a single sample of Errors: 12.5 1/s, usually 0 1/s"]


@pytest.mark.parametrize("far", [[100, 101], [100, 140]])
def test_two_samples_are_an_alarm(far: list[int]) -> None:
    assert found(far) == []


def test_an_episode_that_is_over_with_its_sample_is_judged_by_what_follows() -> None:
    assert len(found([100], length=1)) == 1
    assert found([100, 102], length=1) == []


def test_a_sample_at_the_end_of_the_data_may_go_on() -> None:
    assert found([100], length=1, slots=101) == []
    assert found([100], length=1, slots=102) == []
    assert len(found([100], length=1, slots=103)) == 1


def test_a_sample_of_minutes_a_rule_or_another_metric_make_it_an_alarm() -> None:
    assert found([100], interval_s=300) == []
    assert found([100], rules=("R",)) == []
    assert found([100], share=0.5) == []
    assert found([100], share=float("nan")) == []


def test_nothing_measured_is_no_single_sample() -> None:
    values = np.full((1, 200, 1), np.nan, np.float32)
    panel = Panel(values, START, 60, (Entity(id="nic"),), (Metric(name="errors"),))
    mover = Mover(series=Series("nic", "errors"), usual=0, peak=0, deviation=9, onset=panel.times[100], share=1.0)
    gone = Episode(
        id="e", entity="nic", start=panel.times[100], end=panel.times[160], open=False, severity=2, movers=(mover,)
    )
    assert single_sample_episodes([gone], panel) == ()
