"""Crossing a line within the horizon: what is learned for it from held-out windows, and how good its chances are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.domain.exceedance import PathModel, crossing, exceedance, likelihood
from brownout.domain.forecasts import Forecasts, Odds, Skill
from brownout.domain.panel import Float, Panel
from brownout.forecasting.exceedance.chance_correction import Chances, Events, learn_odds, stories_of, surprises
from brownout.forecasting.selection.calibration import Calibration
from brownout.forecasting.selection.held_out import HeldOut
from brownout.forecasting.selection.model_choice import Choice, chosen_values
from brownout.numerics.losses import brier, reliability

__all__ = ["learn_persistence", "odds_of", "persistence_of", "with_brier"]

CANDIDATES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995)
"""Correlations of neighbouring steps to choose from; the default of a breach, 0.9, is among them."""
LINES = (6, 8)
"""Quantiles whose highest point over the horizon is the line to cross: 0.7 and 0.9 make likely and unlikely events."""
MOST = 200
"""Windows of a metric that are enough to choose by."""
PATHS = 300
"""Paths a window that are enough to choose by."""

Marks = npt.NDArray[np.bool_]


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


def odds_of(
    held_out: Sequence[tuple[Panel, HeldOut]],
    history: Sequence[Panel],
    calibration: Calibration,
    persistence: Mapping[str, float],
) -> Mapping[str, Odds]:
    """Odds by metric of the LSTM's chances, from the windows that calibrate; a family learns together.

    ``history`` is what lies before: it says how often limits were crossed out of the blue.
    """
    given = Chances(persistence)
    by_family: dict[str, list[Events]] = {}
    metrics = {metric.name: metric for panel, _ in held_out for metric in panel.metrics}
    families = {name: metric.family.value for name, metric in metrics.items()}
    for (_, table), stories in zip(held_out, stories_of([panel for panel, _ in held_out]), strict=True):
        values = calibration.apply(table.lstm)
        for metric, events in _events(table, table.calibrates, values, given).items():
            by_family.setdefault(families[metric], []).append(replace(events, weight=events.weight * stories))
    seen = _seen(history, calibration.horizon, families)
    learned = {family: learn_odds(parts, seen.get(family, (0, 0))) for family, parts in by_family.items()}
    return {
        name: replace(learned[family], limit=metrics[name].limit)
        for name, family in families.items()
        if family in learned
    }


def _seen(history: Sequence[Panel], horizon: int, families: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Surprises and quiet windows by family."""
    found: dict[str, tuple[int, int]] = {}
    for panel in history:
        for metric, (crossed, quiet) in surprises(panel, horizon).items():
            before = found.get(families.get(metric, ""), (0, 0))
            found[families.get(metric, "")] = before[0] + crossed, before[1] + quiet
    return found


def with_brier(
    choice: Choice, tables: Sequence[HeldOut], calibration: Calibration, chances: Chances
) -> tuple[tuple[Skill, ...], Chances]:
    """Skills with the Brier score at the metric's limit of what was chosen, on the windows that choose.

    A correction of the odds that makes the Brier score of its metric worse there is dropped.
    """
    made = [chosen_values(table, calibration, choice.makers) for table in tables]

    def judged(given: Chances) -> dict[str, Skill]:
        events = [_events(table, ~table.calibrates, values, given) for table, values in zip(tables, made, strict=True)]
        return {s.metric: _judged(s, [part[s.metric] for part in events if s.metric in part]) for s in choice.skills}

    plain, corrected = judged(Chances(chances.persistence)), judged(chances)
    # Where nothing can be judged the correction stays.
    better = {m: odds for m, odds in chances.odds.items() if m in plain and not corrected[m].brier > plain[m].brier}
    skills = tuple(corrected[metric] if metric in better else skill for metric, skill in plain.items())
    return skills, Chances(chances.persistence, better)


def _events(table: HeldOut, chosen: Marks, values: Float, chances: Chances) -> dict[str, Events]:
    """Chance to cross the limit, and whether it happened, by metric; windows that begin beyond it do not count."""
    found = {}
    weight = _independent(table.lstm, chosen)
    for metric, (line, upwards) in table.limits.items():
        side = 1 if upwards else -1
        beyond = side * table.now > side * line
        known = chosen & ~beyond & np.isfinite(table.actual).any(axis=1)
        rows = np.flatnonzero(known & (table.metrics == metric))
        if not len(rows):
            continue
        made = replace(
            table.lstm.rows(rows.tolist()),
            values=values[rows],
            persistence=(chances.autocorrelation(metric),) * len(rows),
            odds=(chances.correction(metric),) * len(rows),
        )
        likely = likelihood(made, np.full(len(rows), line, np.float32), upwards=np.full(len(rows), upwards))
        happened = np.asarray((side * table.actual[rows] > side * line).any(axis=1), np.bool_)
        found[metric] = Events(likely, happened, weight)
    return found


def _independent(forecasts: Forecasts, chosen: Marks) -> float:
    """Share of the windows that would not overlap: their span in horizons over the number of their origins."""
    origins = np.unique(forecasts.origins[chosen])
    if not len(origins):
        return 1.0
    span = float((origins[-1] - origins[0]) / np.timedelta64(forecasts.interval_s, "s")) / forecasts.horizon
    return min((1 + span) / len(origins), 1.0)


def _judged(skill: Skill, events: Sequence[Events]) -> Skill:
    if not events:
        return skill
    likely = np.concatenate([part.likely for part in events])
    happened = np.concatenate([part.happened for part in events])
    share = np.full(len(happened), happened.mean())
    return replace(
        skill, brier=brier(likely, happened), brier_base=brier(share, happened), bins=reliability(likely, happened)
    )
