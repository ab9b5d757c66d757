"""Drift of a night: inputs, residuals and coverage since the training, beside what the forecaster learned from."""

from collections.abc import Iterator, Sequence

import numpy as np

from brownout.domain.findings.model_drift import (
    LARGE_DISTANCE,
    LARGE_PSI,
    LOST_COVERAGE,
    WORSE_LOSS,
    Drift,
    DriftOf,
    ModelDrift,
)
from brownout.domain.panel import Panel
from brownout.evaluation.distribution_drift import corrected, input_drift, shift_drift
from brownout.evaluation.paired_tests import ALL
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext
from brownout.nightly.model_review.drift_reference import DriftReference, values_by_weekday
from brownout.nightly.model_review.sampled_panels import sampled_forecast_panels
from brownout.nightly.model_review.window_losses import window_losses
from brownout.numerics.arrays import Doubles
from brownout.numerics.slots import days

__all__ = ["LEAST_TRAINED", "MOST_ENTITIES", "find_drift", "model_drift"]

MOST_ENTITIES = 32
"""Entities of each kind that are looked at: enough for a signed-rank test, little beside the night."""
LEAST_TRAINED = days(14)
"""Least training span of a model for a drift to be reported: two of each day of the week."""
MOST_RECENT = 7
"""Days that are looked at: each day of the week once."""
ORIGINS = 3


def model_drift(context: NightContext) -> ModelDrift | None:
    """What has moved since the forecaster of a night was trained; None where there is nothing to compare with.

    Whole days since the training are compared, a week at most, with the same days of the week in the training; there is
    no comparison before the first whole day, nor with a training on less than two weeks.
    """
    models, end = context.models, context.span.end
    record = next((record for record in models.records if record.name.endswith("forecaster")), None)
    if models.reference is None or models.forecaster is None or record is None:
        return None
    whole = min(int((end - record.trained_to + days(1 / 24)) / days(1)), MOST_RECENT)
    start = end - days(max(whole, 0))
    if whole < 1 or record.trained_to - record.trained_from < LEAST_TRAINED:
        return ModelDrift(start=start, end=end, trained_to=record.trained_to, drifts=())
    past = days(max(context.settings.forecast.context_days, context.settings.forecast.outlook_context_days))
    span = (max(context.span.first, start - past), end)
    panels = sampled_forecast_panels(context, span, models.forecaster.parts, most=MOST_ENTITIES)
    drifts = find_drift(models.reference, models.forecaster, panels, start)
    return ModelDrift(start=start, end=end, trained_to=record.trained_to, drifts=drifts)


def find_drift(
    reference: DriftReference, forecaster: SelectedForecaster, panels: Sequence[Panel], start: np.datetime64
) -> tuple[Drift, ...]:
    """Every comparison of what panels hold from a time on with a reference, the clearest first."""
    inputs = list(_inputs(reference, [panel.between(start, panel.end) for panel in panels]))
    large = [drift.psi >= LARGE_PSI and drift.distance >= LARGE_DISTANCE for drift in inputs]
    forecasts = list(_forecasts(reference, forecaster, panels, start))
    for drift in forecasts:
        residual = drift.of is DriftOf.RESIDUAL
        large.append(drift.now >= WORSE_LOSS * drift.before if residual else drift.before - drift.now >= LOST_COVERAGE)
    drifts = corrected([*inputs, *forecasts], large=large)
    return tuple(sorted(drifts, key=_order))


def _inputs(reference: DriftReference, recent: Sequence[Panel]) -> Iterator[Drift]:
    pairs: dict[tuple[str, str], list[tuple[Doubles, Doubles]]] = {}
    for panel in recent:
        for key, by_day in values_by_weekday(panel).items():
            known = reference.inputs.get(key, {})
            shared = [day for day in by_day if day in known]
            if shared:
                then, now = (np.concatenate([part[day] for day in shared]) for part in (known, by_day))
                pairs.setdefault((key[2], key[0]), []).append((then, now))
    for (metric, kind), values in sorted(pairs.items()):
        yield input_drift(metric, kind, [then for then, _ in values], [now for _, now in values])


def _forecasts(
    reference: DriftReference, forecaster: SelectedForecaster, panels: Sequence[Panel], start: np.datetime64
) -> Iterator[Drift]:
    """Residuals and coverage of forecasts that were made from days since the training."""
    longest = max(panels, key=lambda panel: panel.values.shape[1], default=None)
    if longest is None:
        return
    horizon = forecaster.settings.horizon * longest.step
    origins = [longest.end - longest.step - horizon * number for number in range(1, ORIGINS + 1)]
    recent = [time for time in origins if time >= start - longest.step]
    now = window_losses(forecaster, panels, recent).ratios()
    families = sorted({family for family, _ in now} - {ALL})
    for family in families:
        names = [name for own, name in now if own == family and (own, name) in reference.losses]
        before, lately = (
            np.array([table[family, name] for name in names], np.float64).reshape(-1, 2)
            for table in (reference.losses, now)
        )
        yield shift_drift(DriftOf.RESIDUAL, family, before[:, 0], lately[:, 0])
        yield shift_drift(DriftOf.COVERAGE, family, before[:, 1], lately[:, 1])


def _order(drift: Drift) -> tuple[bool, bool, float, str, str]:
    size = drift.psi if np.isfinite(drift.psi) else 0.0
    return not drift.drifted, drift.of is DriftOf.INPUT, -size, drift.name, drift.kind
