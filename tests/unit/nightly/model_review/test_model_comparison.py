"""Two forecasters on the same windows: losses against a loop, what rules read, smoke tests and drift."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from panels import waves

from brownout.domain.findings.model_cards import DataFacts, ModelFacts, TrainingCost
from brownout.domain.findings.model_drift import DriftOf
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel
from brownout.evaluation.breach_scores import BreachScores
from brownout.evaluation.review_rules import judge, judge_training, load_review_rules
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.model_review.data_fingerprint import DataFingerprint
from brownout.nightly.model_review.drift_reference import DriftReference
from brownout.nightly.model_review.drift_search import find_drift
from brownout.nightly.model_review.forecaster_comparison import (
    AGAINST_CHAMPION,
    compare_forecasters,
    compare_losses,
)
from brownout.nightly.model_review.smoke_tests import smoke_forecaster
from brownout.nightly.model_review.window_losses import window_losses

RULES = load_review_rules()
ENTITIES, LEARNED_DAYS = 18, 21


@dataclass
class Shifted(SelectedForecaster):
    """A forecaster that says so much more than it should."""

    by: float = 0.0

    @classmethod
    def of(cls, forecaster: SelectedForecaster, by: float) -> Self:
        return cls(**{f.name: getattr(forecaster, f.name) for f in fields(forecaster)}, by=by)

    def predict(self, request: ForecastRequest) -> Forecasts:
        made = super().predict(request)
        return replace(made, values=made.values + np.float32(self.by))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return waves(entities=ENTITIES, days=28)


@pytest.fixture(scope="module")
def learned(panel: Panel) -> Panel:
    return panel.between(panel.start, panel.start + np.timedelta64(LEARNED_DAYS, "D"))


@pytest.fixture(scope="module")
def forecaster(learned: Panel) -> SelectedForecaster:
    return SelectedForecaster(LstmSettings.quick(context=96, horizon=24, steps=5, seed=0)).fit([learned])


def record(trained_to: np.datetime64) -> ModelRecord:
    start = trained_to - np.timedelta64(20, "D")
    return ModelRecord(name="brownout-forecaster", uri="", trained_from=start, trained_to=trained_to, seed=0, lock="")


def test_losses_are_those_of_a_loop(panel: Panel, forecaster: SelectedForecaster) -> None:
    origins = [panel.start + np.timedelta64(day, "D") for day in (22, 24)]
    losses = window_losses(forecaster, [panel], origins)
    slots = [panel.slot(origin) for origin in origins]
    made = forecaster.predict(ForecastRequest(panel, slots, 24))
    naive = SeasonalNaive().predict(ForecastRequest(panel, slots, 24))
    scale = seasonal_scale(panel, panel.slots_per_day, end=slots[0])
    ours = theirs = inside = number = 0.0
    for row, series in enumerate(made.series):
        if (series.entity, series.metric) != ("vm3", "cpu_pct"):
            continue
        for step in range(24):
            truth = float(panel.values[3, panel.slot(made.origins[row]) + 1 + step, 0])
            for forecasts, whose in ((made, "ours"), (naive, "theirs")):
                path = forecasts.values[row, step].astype(float)
                loss = np.mean(
                    [2 * max(q * (truth - v), (q - 1) * (truth - v)) for q, v in zip(QUANTILES, path, strict=True)]
                )
                ours, theirs = (ours + loss, theirs) if whose == "ours" else (ours, theirs + loss)
            inside += made.values[row, step, 0] <= truth <= made.values[row, step, -1]
            number += 1
    seen = losses.by_entity("cpu")["vm3"]
    unit = float(scale[3, 0]) * number
    assert seen == pytest.approx((ours / unit, theirs / unit, inside / number), rel=1e-4)


def test_the_same_model_is_as_good_as_itself_and_passes(learned: Panel, forecaster: SelectedForecaster) -> None:
    old = record(np.datetime64("2026-03-20", "ms"))
    made = compare_forecasters(forecaster, (forecaster, old), [learned])
    assert made is not None
    comparison, _ = made
    beside = [test for test in comparison.tests if test.against == AGAINST_CHAMPION]
    assert {test.family for test in beside} == {"all", "cpu", "memory"}
    assert {test.ratio for test in beside} == {1.0}
    assert comparison.champion == {k: v for k, v in comparison.challenger.items() if k in comparison.champion}
    assert comparison.start >= learned.start + 0.8 * (learned.end - learned.start)
    assert comparison.end <= learned.end
    verdict = judge_training(RULES, old, record(np.datetime64("2026-03-23", "ms")), facts_with(comparison))
    assert [check.rule for check in verdict.checks if not check.passed] == []


def test_one_that_is_certainly_worse_waits_and_one_that_is_better_passes(
    learned: Panel, forecaster: SelectedForecaster
) -> None:
    old, worse = record(np.datetime64("2026-03-20", "ms")), Shifted.of(forecaster, 6.0)
    for new, champion, wanted in ((worse, forecaster, False), (forecaster, worse, True)):
        made = compare_forecasters(new, (champion, old), [learned])
        assert made is not None
        verdict = judge_training(RULES, old, record(np.datetime64("2026-03-23", "ms")), facts_with(made[0]))
        failed = {check.rule for check in verdict.checks if not check.passed}
        assert ("paired-champion-all" not in failed) is wanted
        assert verdict.passed is wanted


def test_a_comparison_with_another_champion_does_not_count(learned: Panel, forecaster: SelectedForecaster) -> None:
    made = compare_forecasters(
        forecaster, (Shifted.of(forecaster, 30.0), record(np.datetime64("2026-03-20", "ms"))), [learned]
    )
    assert made is not None
    other = replace(record(np.datetime64("2026-03-21", "ms")), scores={"all.crps": 0.5})
    new = replace(record(np.datetime64("2026-03-23", "ms")), scores={"all.crps": 0.9})
    assert not judge_training(RULES, other, new, facts_with(made[0])).passed


def test_chances_are_kept_beside_what_came(panel: Panel, forecaster: SelectedForecaster) -> None:
    limit = float(np.nanquantile(panel.values[..., 0], 0.6))
    limited = replace(panel, metrics=tuple(replace(metric, limit=limit) for metric in panel.metrics))
    slots = [limited.slot(limited.start + np.timedelta64(day, "D")) for day in (22, 24)]
    losses = window_losses(forecaster, [limited], [limited.start + slot * limited.step for slot in slots])
    crossed = [
        bool((limited.values[row, slot + 1 : slot + 25, 0] > limit).any()) for row in range(ENTITIES) for slot in slots
    ]
    (part,) = losses.warnings.parts_["cpu_pct"]
    assert sorted(part[:, 1]) == sorted(crossed)
    assert 0 < sum(crossed) < len(crossed)


def test_metrics_without_a_limit_have_losses_and_no_warnings(panel: Panel, forecaster: SelectedForecaster) -> None:
    unlimited = replace(panel, metrics=tuple(replace(metric, limit=None) for metric in panel.metrics))
    losses = window_losses(forecaster, [unlimited], [panel.start + np.timedelta64(22, "D")])
    assert losses.warnings.parts_ == {}
    assert losses.count.sum() > 0


@pytest.mark.parametrize(
    ("told", "came", "wanted"),
    [((40, 40), (30, 30), True), ((40, 40), (27, 30), True), ((40, 40), (25, 30), False), ((19, 40), (0, 30), None)],
)
def test_one_whose_warnings_are_false_more_often_waits(
    panel: Panel, forecaster: SelectedForecaster, told: tuple[int, int], came: tuple[int, int], *, wanted: bool | None
) -> None:
    """Of so many warnings of the newer and the older model, so many came true; too few of either say nothing."""
    losses = window_losses(forecaster, [panel], [panel.start + np.timedelta64(22, "D")])
    new, old = (replace(losses, warnings=warnings_of(number, true)) for number, true in zip(told, came, strict=True))
    compared = compare_losses(new, old)
    verdict = judge(RULES, "forecaster", champion=compared.champion, challenger=compared.challenger)
    assert [check.passed for check in verdict.checks if check.rule == "warning-precision"] == (
        [] if wanted is None else [wanted]
    )
    assert {check.champion for check in verdict.checks if check.rule == "warning-precision"} <= {0.75}


def warnings_of(told: int, came: int) -> BreachScores:
    """Windows with warnings of which so many came true, and as many that said nothing; some began beyond the limit."""
    happened = np.r_[np.arange(told) < came, np.ones(told)]
    chance, already = np.r_[np.full(told, 0.7), np.full(told, 0.2)], np.zeros(2 * told)
    parts = np.stack([chance, happened, already, np.full(2 * told, np.nan)], axis=1)
    beyond = np.tile([0.9, 0.0, 1.0, np.nan], (50, 1))
    return BreachScores(parts_={"cpu_pct": [np.concatenate([parts, beyond])]}, leads_={"cpu_pct": [np.empty(0)]})


def facts_with(comparison: object) -> ModelFacts:
    now = np.datetime64("2026-03-23", "ms")
    return ModelFacts(
        reason="",
        data=DataFacts(source="", start=now, end=now, entities=0, values=0, sha256=""),
        cost=TrainingCost(started=now, wall_s=1, cpu_s=1, peak_mib=1),
        comparison=comparison,  # type: ignore[arg-type]
    )


def test_a_stored_model_that_works_passes_its_smoke_tests(
    panel: Panel, forecaster: SelectedForecaster, tmp_path: Path
) -> None:
    forecaster.save(tmp_path)
    assert [check.title for check in smoke_forecaster(tmp_path, [panel]) if not check.passed] == []
    (tmp_path / "forecaster.json").write_text("{}")
    (check,) = smoke_forecaster(tmp_path, [panel])
    assert not check.passed


def test_a_model_that_forecasts_what_never_was_fails(
    panel: Panel, forecaster: SelectedForecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecaster.save(tmp_path)
    monkeypatch.setattr(SelectedForecaster, "load", lambda _folder: Shifted.of(forecaster, 500.0))
    failed = [check.title for check in smoke_forecaster(tmp_path, [panel]) if not check.passed]
    assert failed == ["medians stay near the range of the last week"]


def test_nothing_drifts_in_a_fleet_that_goes_on_as_before(
    panel: Panel, learned: Panel, forecaster: SelectedForecaster, tmp_path: Path
) -> None:
    reference = reference_of(learned, forecaster)
    reference.write(tmp_path)
    stored = DriftReference.load(tmp_path)
    assert stored is not None
    assert stored.losses == reference.losses
    found = find_drift(stored, forecaster, [panel], learned.end)
    assert {drift.of for drift in found} == set(DriftOf)
    assert [drift for drift in found if drift.drifted] == []


def test_a_load_that_rose_drifts_as_input_and_in_what_is_forecast_of_it(
    panel: Panel, learned: Panel, forecaster: SelectedForecaster
) -> None:
    values = panel.values.copy()
    draws = np.random.default_rng(1)
    since = learned.values.shape[1]
    values[:, since:, 0] = draws.uniform(0, 100, values[:, since:, 0].shape)
    found = find_drift(reference_of(learned, forecaster), forecaster, [replace(panel, values=values)], learned.end)
    drifted = {(drift.of, drift.name) for drift in found if drift.drifted}
    assert (DriftOf.COVERAGE, "cpu") in drifted
    assert {name for _, name in drifted} <= {"cpu", "cpu_pct"}
    values[:, since:, 0] = panel.values[:, since:, 0] / 4
    found = find_drift(reference_of(learned, forecaster), forecaster, [replace(panel, values=values)], learned.end)
    assert (DriftOf.INPUT, "cpu_pct") in {(drift.of, drift.name) for drift in found if drift.drifted}
    assert found[0].drifted  # what moved stands first


def reference_of(learned: Panel, forecaster: SelectedForecaster) -> DriftReference:
    made = compare_forecasters(forecaster, None, [learned])
    assert made is not None
    return DriftReference.of([learned], made[1].ratios())


def test_the_fingerprint_is_of_values_names_and_times(panel: Panel) -> None:
    def digest(*panels: Panel) -> str:
        made = DataFingerprint()
        for one in panels:
            made.add(one)
        return made.facts("x", (panel.start, panel.end)).sha256

    assert digest(panel) == digest(replace(panel, values=panel.values.copy()))
    changed = panel.values.copy()
    changed[0, 0, 0] += 1
    later = replace(panel, start=panel.start + panel.step)
    assert len({digest(panel), digest(replace(panel, values=changed)), digest(later), digest(panel, panel)}) == 4
