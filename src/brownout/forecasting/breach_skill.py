"""Crossing a line within the horizon: what is learned for it from held-out windows, and how good its chances are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Forecasts, Skill
from brownout.domain.panel import Float
from brownout.domain.paths import PathModel, crossing, exceedance
from brownout.forecasting.calibration import Calibration
from brownout.forecasting.choice import HeldOut

__all__ = ["brier", "learn_persistence", "persistence_of", "with_brier"]

CANDIDATES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995)
"""Correlations of neighbouring steps to choose from; the default of a breach, 0.9, is among them."""
LINES = (6, 8)
"""Quantiles whose highest point over the horizon is the line to cross: 0.7 and 0.9 make likely and unlikely events."""
MOST = 200
"""Windows of a metric that are enough to choose by."""
PATHS = 300
"""Paths a window that are enough to choose by."""

Doubles = npt.NDArray[np.float64]


def brier(likely: Doubles, happened: npt.NDArray[np.bool_]) -> float:
    """Mean squared error of probabilities, 0 … 1; always saying one half scores 0.25."""
    return float(((likely - happened) ** 2).mean()) if len(likely) else float("nan")


def learn_persistence(metrics: npt.NDArray[np.str_], forecasts: Forecasts, actual: Float) -> Mapping[str, float]:
    """The candidate of least Brier score by metric; ``actual [row, step]``, rows with a gap do not count."""
    found = {}
    whole = np.isfinite(actual).all(axis=1) & (forecasts.values[..., -1] > forecasts.values[..., 0]).any(axis=1)
    for metric in np.unique(metrics):
        rows = np.flatnonzero(whole & (metrics == metric))
        rows = rows[:: max(len(rows) // MOST, 1)]
        if len(rows):
            found[str(metric)] = _best(forecasts.rows(rows.tolist()), actual[rows])
    return found


def _best(forecasts: Forecasts, actual: Float) -> float:
    scores = np.zeros(len(CANDIDATES))
    for line in LINES:
        limits = forecasts.values[..., line].max(axis=1)
        happened = (actual > limits[:, None]).any(axis=1)
        chance = exceedance(forecasts, limits, upwards=np.ones(len(limits), bool))
        scores += [brier(crossing(chance, PathModel(persistence=phi, paths=PATHS)), happened) for phi in CANDIDATES]
    return CANDIDATES[int(scores.argmin())]


def persistence_of(tables: Sequence[HeldOut], calibration: Calibration) -> Mapping[str, float]:
    """Persistence of the LSTM by metric, from the windows that calibrate; of the first panel that has the metric."""
    found: dict[str, float] = {}
    for table in tables:
        rows = np.flatnonzero(table.calibrates & ~np.isin(table.metrics, list(found)))
        if not len(rows):
            continue
        made = table.lstm.rows(rows.tolist())
        made = replace(made, values=calibration.apply(made))
        found = {**learn_persistence(table.metrics[rows], made, table.actual[rows]), **found}
    return found


def with_brier(
    skills: Sequence[Skill], tables: Sequence[HeldOut], calibration: Calibration, persistence: Mapping[str, float]
) -> tuple[Skill, ...]:
    """Skills with the Brier score of the LSTM at the metric's limit, on the windows that choose."""
    events = [_events(table, calibration, persistence) for table in tables]
    return tuple(_judged(skill, [found[skill.metric] for found in events if skill.metric in found]) for skill in skills)


def _events(
    table: HeldOut, calibration: Calibration, persistence: Mapping[str, float]
) -> dict[str, tuple[Doubles, npt.NDArray[np.bool_]]]:
    """Chance to cross the limit, and whether it happened, by metric; windows that begin beyond it do not count."""
    found = {}
    for metric, (line, upwards) in table.limits.items():
        side = 1 if upwards else -1
        beyond = side * table.now > side * line
        known = ~table.calibrates & ~beyond & np.isfinite(table.actual).any(axis=1)
        rows = np.flatnonzero(known & (table.metrics == metric))
        if not len(rows):
            continue
        made = table.lstm.rows(rows.tolist())
        made = replace(made, values=calibration.apply(made))
        lines = np.full(len(rows), line, np.float32)
        chance = exceedance(made, lines, upwards=np.full(len(rows), upwards))
        likely = crossing(chance, PathModel(persistence=persistence.get(metric, PathModel().persistence)))
        found[metric] = likely, np.asarray((side * table.actual[rows] > side * line).any(axis=1), np.bool_)
    return found


def _judged(skill: Skill, events: Sequence[tuple[Doubles, npt.NDArray[np.bool_]]]) -> Skill:
    if not events:
        return skill
    likely, happened = (np.concatenate(parts) for parts in zip(*events, strict=True))
    share = np.full(len(happened), happened.mean())
    return replace(skill, brier=brier(likely, happened), brier_base=brier(share, happened))
