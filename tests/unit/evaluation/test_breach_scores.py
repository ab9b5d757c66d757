"""Warnings of breaches, and scores by kind and horizon, against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Panel
from brownout.evaluation.backtest import BacktestScores, actual_after
from brownout.evaluation.breach_scores import BreachScores, Windows, first_crossings, windows_of
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive
from brownout.forecasting.series_rows import rows_of
from brownout.numerics.losses import path_losses, skill_ratio

HORIZON = 6


def beyond(text: str) -> np.ndarray:
    return np.array([[c == "#" for c in text]])


def test_a_breach_begins_after_calm_and_flapping_is_one() -> None:
    starts = first_crossings(beyond("..#.#....##...."), 3)
    assert np.flatnonzero(starts[0]).tolist() == [2, 9]
    assert np.flatnonzero(first_crossings(beyond("##..#"), 3)[0]).tolist() == [0]


def panel() -> Panel:
    """Half-hours; vm0's cpu_pct is above 90 in slots 20 to 22 and 40, free_pct never below 10."""
    made = waves(entities=2, days=1)
    values = np.full((2, 60, 2), 50, np.float32)
    values[0, [20, 21, 22, 40], 0] = 95
    return replace(made, values=values)


def given(slots: list[int], likely: list[float]) -> Windows:
    n = len(slots)
    return Windows(np.full(n, "cpu_pct"), np.zeros(n, np.int64), np.array(slots), np.array(likely), HORIZON)


def test_warnings_are_counted_by_hand() -> None:
    scores = BreachScores()
    # 10: false; 16: warned two hours before slot 20; 18: not warned; 21: beyond already; 30: right to be calm.
    scores.add(panel(), [given([10, 16, 18], [0.6, 0.8, 0.2]), given([21, 30], [0.9, 0.1])])
    found = scores.summary()["cpu_pct"]
    assert (found["windows"], found["crossed"]) == (4, 2)
    assert found["brier"] == pytest.approx((0.6**2 + 0.2**2 + 0.8**2 + 0.1**2) / 4)
    assert found["brier_climatology"] == pytest.approx(0.25)
    assert found["brier_skill"] == pytest.approx(1 - found["brier"] / 0.25)  # type: ignore[operator]
    assert (found["warnings"], found["false_warnings"]) == (2, 0.5)
    assert (found["breaches"], found["warned_of"], found["median_lead_h"]) == (
        1,
        1.0,
        2.0,
    )  # 40 lies beyond the windows
    assert found["warned_an_hour_before"] == 1.0
    assert sum(part[0] for part in found["reliability"]) == 4  # type: ignore[attr-defined]


def test_a_warning_counts_for_a_breach_within_its_horizon_only() -> None:
    scores = BreachScores()
    scores.add(panel(), [given([13, 19, 33, 39], [0.9, 0.9, 0.9, 0.2])])
    found = scores.summary()["cpu_pct"]
    assert (found["breaches"], found["warned_of"]) == (2, 0.5)
    assert found["median_lead_h"] == 0.5
    assert found["warned_an_hour_before"] == 0.0


def test_chances_are_read_off_the_rows_that_have_a_limit() -> None:
    made = panel()
    rows = rows_of(made, [10])
    values = np.full((len(rows), HORIZON, len(QUANTILES)), 50, np.float32)
    values[0] = np.linspace(80, 120, len(QUANTILES))
    windows = windows_of(made, rows.forecasts(values, "lstm"))
    assert windows.metrics.tolist() == ["cpu_pct", "free_pct"] * 2
    assert windows.entity_rows.tolist() == [0, 0, 1, 1]
    assert windows.likely[0] > 0.7
    assert windows.likely[1:].max() < 0.05
    bare = replace(made, metrics=tuple(replace(m, limit=None) for m in made.metrics))
    assert len(windows_of(bare, rows.forecasts(values, "lstm")).likely) == 0
    assert BreachScores().summary() == {}


def losses(forecasts: Forecasts, naive: Forecasts, actual: np.ndarray, rows: np.ndarray, steps: slice) -> float:
    ours, theirs = (path_losses(made.values[rows, steps], actual[rows, steps]) for made in (forecasts, naive))
    return skill_ratio(ours.quantile, theirs.quantile, theirs.count, np.ones(int(rows.sum())))


def test_scores_by_kind_and_quarter_are_those_of_the_parts_alone() -> None:
    scores, parts = BacktestScores(), {}
    for kind, seed in (("vm", 1), ("host", 2)):
        made = waves(seed=seed, kind=kind)
        forecasts, naive = (
            maker.predict(ForecastRequest(made, [300, 348], 48)) for maker in (Naive(), SeasonalNaive())
        )
        actual = actual_after(made, forecasts)
        scores.add(forecasts, naive, actual, np.ones(len(forecasts.series)), kind=kind)
        parts[kind] = forecasts, naive, actual, np.array([series.metric for series in forecasts.series])
    for kind, (forecasts, naive, actual, metrics) in parts.items():
        each = [losses(forecasts, naive, actual, metrics == m, slice(None)) for m in ("cpu_pct", "free_pct")]
        assert scores.by_kind()[kind]["crps"] == pytest.approx(np.sqrt(each[0] * each[1]))
    for quarter, scored in enumerate(scores.by_horizon()):
        steps = slice(12 * quarter, 12 * quarter + 12)
        sums = np.zeros((2, 2))
        for place, metric in enumerate(("cpu_pct", "free_pct")):
            for forecasts, naive, actual, metrics in parts.values():
                rows = metrics == metric
                for column, made in enumerate((forecasts, naive)):
                    sums[place, column] += path_losses(made.values[rows, steps], actual[rows, steps]).quantile.sum()
        ratios = sums[:, 0] / sums[:, 1]
        assert scored["crps"] == pytest.approx(np.sqrt(ratios.prod()))
    overall = scores.summary()["overall"]
    assert sum(part["values"] for part in scores.by_horizon()) == overall["values"]
    assert sum(part["windows"] for part in scores.by_kind().values()) == overall["windows"]
