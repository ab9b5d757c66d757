"""A newly trained forecaster, the one in use and seasonal-naive, on the same windows of the same entities."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.findings.model_cards import Comparison, EntityLoss, PairedTest
from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel
from brownout.evaluation.paired_tests import ALL, paired_tests
from brownout.evaluation.review_rules import (
    CPU_RATIO,
    VS_CHAMPION_LOW,
    VS_NAIVE_HIGH,
    VS_NAIVE_LOW,
    WARNING_PRECISION,
)
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.selection.held_out import first_held_out
from brownout.nightly.model_review.window_losses import WindowLosses, window_losses

__all__ = ["AGAINST_CHAMPION", "AGAINST_NAIVE", "MOST_ENTITIES", "compare_forecasters", "compare_losses", "loss_tests"]

MOST_ENTITIES = 64
"""Entities of each kind that models are compared on: a test of 64 pairs sees a difference of a tenth."""
ORIGINS = 8
WORST = 10
TIMED_S = 1.0
"""Processor time of forecasts below which two of them cannot be told apart."""
FEWEST_WARNINGS = 20
"""Warnings of each model from which on shares that came true are compared: of 20, a tenth more or less is two."""
AGAINST_CHAMPION, AGAINST_NAIVE = "champion", "seasonal-naive"
UNKNOWN_TIME = np.datetime64(0, "ms")
SCORES = ("mase", "crps", "coverage", "coverage_50", "coverage_90")


def compare_forecasters(
    challenger: SelectedForecaster,
    champion: tuple[SelectedForecaster, ModelRecord] | None,
    panels: Sequence[Panel],
) -> tuple[Comparison, WindowLosses] | None:
    """Both on windows that neither network was trained on; None where no window fits.

    ``panels`` are what the challenger may see, until the end of its data. Its windows are those that were kept from its
    training; its calibration and its choice between forecasters have seen them.
    """
    origins = _held_out_origins(challenger, panels)
    if not origins:
        return None
    new = window_losses(challenger, panels, origins)
    if not new.count.any():
        return None
    old = None if champion is None else window_losses(champion[0], panels, origins)
    step = max(panels, key=lambda panel: panel.values.shape[1]).step
    compared = replace(
        compare_losses(new, old),
        champion_trained_to=None if champion is None else champion[1].trained_to,
        start=origins[0] + step,
        end=origins[-1] + (challenger.settings.horizon + 1) * step,
        windows=len(origins),
    )
    return compared, new


def compare_losses(new: WindowLosses, old: WindowLosses | None) -> Comparison:
    """What losses on the same windows say; the caller knows when these were and of which champion."""
    tests = loss_tests(new, old)
    ours, theirs = _precisions(new, old)
    return Comparison(
        champion_trained_to=None,
        start=UNKNOWN_TIME,
        end=UNKNOWN_TIME,
        windows=0,
        entities=len(new.by_entity()),
        champion={} if old is None else _scores(old) | theirs,
        challenger=_scores(new) | ours | _paired_scores(tests) | _speed(new, old),
        tests=tests,
        worst=_worst(new, old),
        residuals=new.residuals,
    )


def loss_tests(new: WindowLosses, old: WindowLosses | None) -> tuple[PairedTest, ...]:
    """The newer model against the one in use, and against seasonal-naive, by resource."""
    by_family = {family: new.by_entity(family) for family in new.all_families()}
    naive = {
        family: (
            np.array([ours for ours, _, _ in losses.values()]),
            np.array([other for _, other, _ in losses.values()]),
        )
        for family, losses in by_family.items()
    }
    tests = paired_tests(naive, against=AGAINST_NAIVE)
    if old is None:
        return tests
    both = {}
    for family, losses in by_family.items():
        theirs = old.by_entity(family)
        shared = [name for name in losses if name in theirs]
        both[family] = (np.array([losses[n][0] for n in shared]), np.array([theirs[n][0] for n in shared]))
    return (*paired_tests(both, against=AGAINST_CHAMPION), *tests)


def _held_out_origins(challenger: SelectedForecaster, panels: Sequence[Panel]) -> list[np.datetime64]:
    """Slots from which the windows kept from training are forecast, the first first."""
    longest = max(panels, key=lambda panel: panel.values.shape[1], default=None)
    if longest is None:
        return []
    slots, horizon = longest.values.shape[1], challenger.settings.horizon
    first = first_held_out(slots, share=challenger.validation_share, horizon=horizon) - 1
    last = slots - horizon - 1
    if last < first or last < 1:
        return []
    chosen = np.unique(np.linspace(max(first, 1), last, min(ORIGINS, last - first + 1)).astype(int))
    return [longest.start + slot * longest.step for slot in chosen.tolist()]


def _scores(losses: WindowLosses) -> dict[str, float]:
    if not losses.scores.parts_:
        return {}
    table = losses.scores.summary()
    named = {(ALL if metric == "overall" else metric): scores for metric, scores in table.items()}
    return {
        f"{metric}.{name}": float(scores[name])
        for metric, scores in named.items()
        for name in SCORES
        if math.isfinite(scores[name])
    }


def _paired_scores(tests: Sequence[PairedTest]) -> dict[str, float]:
    """What rules read of paired tests: the ends of the intervals, where there are enough entities for one."""
    scores = {}
    for test in tests:
        if test.against == AGAINST_CHAMPION:
            scores[f"{test.family}.{VS_CHAMPION_LOW}"] = test.low
        else:
            scores[f"{test.family}.{VS_NAIVE_LOW}"] = test.low
            scores[f"{test.family}.{VS_NAIVE_HIGH}"] = test.high
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def _speed(new: WindowLosses, old: WindowLosses | None) -> dict[str, float]:
    if old is None or old.cpu_s < TIMED_S:
        return {}
    return {f"{ALL}.{CPU_RATIO}": new.cpu_s / old.cpu_s}


def _precisions(new: WindowLosses, old: WindowLosses | None) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the warnings of each that came true; none where one of them gave too few."""
    summaries = [losses.warnings.summary().get("overall", {}) for losses in (new, old) if losses is not None]
    if any(int(str(scores.get("warnings", 0))) < FEWEST_WARNINGS for scores in summaries):
        return {}, {}
    shares = [{f"{ALL}.{WARNING_PRECISION}": 1 - float(str(scores["false_warnings"]))} for scores in summaries]
    return shares[0], shares[-1] if old is not None else {}


def _worst(new: WindowLosses, old: WindowLosses | None) -> tuple[EntityLoss, ...]:
    """Entities and resources of the largest losses beside seasonal-naive, the worst first."""
    losses = []
    for family in new.all_families()[1:]:
        theirs = {} if old is None else old.by_entity(family)
        for name, (ours, naive, _) in new.by_entity(family).items():
            if naive > 0:
                other = theirs.get(name, (math.nan,))[0]
                losses.append(EntityLoss(entity=name, family=family, challenger=ours / naive, champion=other / naive))
    return tuple(sorted(losses, key=lambda one: (-one.challenger, one.entity, one.family))[:WORST])
