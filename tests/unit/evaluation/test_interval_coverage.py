"""Coverage of intervals by a plain loop, and of values that lie on their ends."""

import numpy as np
import pytest
from scipy.stats import norm

from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Float
from brownout.evaluation.interval_coverage import coverages, interval_counts

ROWS, STEPS = 400, 20
RNG = np.random.default_rng(0)


def forecasts(ladder: Float) -> Forecasts:
    """The same quantiles everywhere: nine, then those of 5 and 95 %."""
    values = np.broadcast_to(np.asarray(ladder, np.float32), (ROWS, STEPS, 11))
    origins = np.full(ROWS, np.datetime64("2026-03-02", "ms"))
    return Forecasts((Series("vm", "m"),) * ROWS, origins, 60, values[..., :9], ("",) * ROWS, outer=values[..., 9:])


def judged(made: Forecasts, actual: Float) -> dict[str, float]:
    counts = interval_counts(made, actual).reshape(-1, 12).sum(axis=0)
    return coverages(counts, float(np.isfinite(actual).sum()))


def test_coverage_is_what_a_loop_counts_and_gaps_do_not_count() -> None:
    made = forecasts(norm.ppf([*QUANTILES, 0.05, 0.95]) * 1.3)
    actual = RNG.normal(size=(ROWS, STEPS)).astype(np.float32)
    actual[::3, 5:9] = np.nan
    found, inside, seen = judged(made, actual), {50: 0, 80: 0, 90: 0}, 0
    assert made.outer is not None
    for row in range(ROWS):
        for step in range(STEPS):
            if np.isfinite(actual[row, step]):
                q, (low, high), seen = made.values[row, step], made.outer[row, step], seen + 1
                inside[50] += bool((q[1] + q[2]) / 2 <= actual[row, step] <= (q[6] + q[7]) / 2)
                inside[80] += bool(q[0] <= actual[row, step] <= q[8])
                inside[90] += bool(low <= actual[row, step] <= high)
    assert found["coverage_50"] == pytest.approx(inside[50] / seen)
    assert found["coverage"] == pytest.approx(inside[80] / seen)
    assert found["coverage_90"] == pytest.approx(inside[90] / seen)
    # Where values hardly ever lie on an end, both ways of counting agree.
    assert [found[f"tied_{n}"] for n in (50, 80, 90)] == pytest.approx(
        [found[n] for n in ("coverage_50", "coverage", "coverage_90")], abs=1e-3
    )


def idle(zeros: float) -> tuple[Float, Float]:
    """Values of which a share is zero and the others uniform on 0 … 1, and their true quantiles."""
    actual = np.where(RNG.random((ROWS, STEPS)) < zeros, 0, RNG.random((ROWS, STEPS))).astype(np.float32)
    levels = np.array([*QUANTILES, 0.05, 0.95])
    return np.maximum((levels - zeros) / (1 - zeros), 0), actual


def test_the_true_quantiles_of_an_idle_disk_cover_too_much_but_not_where_ties_are_taken_at_their_word() -> None:
    ladder, actual = idle(0.7)
    found = judged(forecasts(ladder), actual)
    assert found["coverage"] == pytest.approx(0.9, abs=0.02)
    assert [found[f"tied_{n}"] for n in (50, 80, 90)] == pytest.approx([0.5, 0.8, 0.9], abs=0.02)


def test_an_upper_end_that_is_too_high_is_not_excused_by_ties() -> None:
    ladder, actual = idle(0.7)
    assert judged(forecasts(3 * ladder), actual)["tied_80"] > 0.88
    assert judged(forecasts(0.3 * ladder), actual)["tied_80"] < 0.72


def test_an_interval_that_was_not_forecast_has_no_coverage() -> None:
    made = forecasts(norm.ppf([*QUANTILES, 0.05, 0.95]))
    bare = Forecasts(made.series, made.origins, 60, made.values, made.makers)
    found = judged(bare, RNG.normal(size=(ROWS, STEPS)).astype(np.float32))
    assert np.isnan([found["coverage_90"], found["tied_90"]]).all()
    assert 0.7 < found["coverage"] < 0.9
