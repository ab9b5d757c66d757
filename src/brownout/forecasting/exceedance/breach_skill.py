"""Skill of the chances to cross a limit within the horizon, and what held-out windows teach for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.domain.exceedance import PathModel, crossing, exceedance, likelihood
from brownout.domain.forecasts import Forecasts, Odds, Skill
from brownout.domain.panel import Float, Panel
from brownout.forecasting.exceedance.chance_correction import (
    Chances,
    Events,
    base_rates,
    independent_shares,
    learn_odds,
    missed,
    pool_share,
)
from brownout.forecasting.exceedance.habits import Habit, Windows, learn_trust
from brownout.forecasting.selection.calibration import Calibration
from brownout.forecasting.selection.held_out import HeldOut
from brownout.forecasting.selection.model_choice import Choice, chosen_values
from brownout.numerics.arrays import Doubles, Marks
from brownout.numerics.losses import brier, reliability

__all__ = ["learn_persistence", "odds_of", "persistence_of", "with_brier"]

CANDIDATES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995)
"""Autocorrelations of neighbouring steps to choose from; the default of ``PathModel``, 0.9, is among them."""
LIMIT_QUANTILES = (6, 8)
"""Indices of quantiles whose highest point over the horizon is a limit: 0.7 for likely events, 0.9 for unlikely."""
NO_SKILL = "no forecast skill for crossings of its limit yet: only trends are told as probable"
LEAST_SHARE = 0.5
"""Of what is told, the share of the forecast's own chance below which nothing it says is probable."""
MOST = 200
"""Windows of a metric that are enough to choose by."""
PATHS = 300
"""Paths a window that are enough to choose by."""


def learn_persistence(metrics: npt.NDArray[np.str_], forecasts: Forecasts, actual: Float) -> Mapping[str, float]:
    """Autocorrelation of least Brier score by metric; ``actual [row, step]``, rows with a gap do not count."""
    learned = {}
    whole = np.isfinite(actual).all(axis=1) & (forecasts.values[..., -1] > forecasts.values[..., 0]).any(axis=1)
    for metric in np.unique(metrics):
        rows = np.flatnonzero(whole & (metrics == metric))
        rows = rows[:: max(len(rows) // MOST, 1)]
        if len(rows):
            learned[str(metric)] = _best(forecasts.rows(rows.tolist()), actual[rows])
    return learned


def _best(forecasts: Forecasts, actual: Float) -> float:
    scores = np.zeros(len(CANDIDATES))
    for level in LIMIT_QUANTILES:
        limits = forecasts.values[..., level].max(axis=1)
        happened = (actual > limits[:, None]).any(axis=1)
        chance = exceedance(forecasts, limits, upwards=np.ones(len(limits), bool))
        scores += [brier(crossing(chance, PathModel(persistence=phi, paths=PATHS)), happened) for phi in CANDIDATES]
    return CANDIDATES[int(scores.argmin())]


def persistence_of(tables: Sequence[HeldOut], calibration: Calibration) -> Mapping[str, float]:
    """Autocorrelation of the LSTM's steps by metric, from the calibrating windows of the first panel that has it."""
    learned: dict[str, float] = {}
    for table in tables:
        rows = np.flatnonzero(table.calibrates & ~np.isin(table.metrics, list(learned)))
        if not len(rows):
            continue
        forecasts = table.lstm.rows(rows.tolist())
        forecasts = replace(forecasts, values=calibration.apply(forecasts))
        learned = {**learn_persistence(table.metrics[rows], forecasts, table.actual[rows]), **learned}
    return learned


def odds_of(
    held_out: Sequence[tuple[Panel, HeldOut]],
    history: Sequence[Panel],
    calibration: Calibration,
    persistence: Mapping[str, float],
) -> Mapping[str, Odds]:
    """Correction of the LSTM's chances by metric, from the windows that calibrate; a family of metrics shares one.

    ``history`` are the panels before the held-out windows: the crossings in them that persistence missed.
    """
    given = Chances(persistence)
    by_family: dict[str, list[Events]] = {}
    metrics = {metric.name: metric for panel, _ in held_out for metric in panel.metrics}
    families = {name: metric.family.value for name, metric in metrics.items()}
    for (_, table), share in zip(held_out, independent_shares([panel for panel, _ in held_out]), strict=True):
        values = calibration.apply(table.lstm)
        for metric, events in _events(table, table.calibrates, values, given).items():
            by_family.setdefault(families[metric], []).append(replace(events, weight=events.weight * share))
    seen = _missed(history, calibration.horizon, families)
    learned = {family: learn_odds(parts, seen.get(family, (0, 0))) for family, parts in by_family.items()}
    return {
        name: replace(learned[family], limit=metrics[name].limit)
        for name, family in families.items()
        if family in learned
    }


def _missed(history: Sequence[Panel], horizon: int, families: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Crossings that persistence missed, and the windows they may be in, by family."""
    counts: dict[str, tuple[int, int]] = {}
    for panel in history:
        for metric, (crossed, windows) in missed(panel, horizon).items():
            before = counts.get(families.get(metric, ""), (0, 0))
            counts[families.get(metric, "")] = before[0] + crossed, before[1] + windows
    return counts


def with_brier(
    choice: Choice,
    held_out: Sequence[tuple[Panel, HeldOut]],
    history: Sequence[Panel],
    calibration: Calibration,
    chances: Chances,
) -> tuple[tuple[Skill, ...], Chances]:
    """Skills with the Brier score of the chances at the metric's limit, and the chances as they are told.

    A correction that makes the Brier score of its metric worse on the windows that choose is dropped. What is told is
    pooled with what is known without a forecast, by the skill that it showed there: a metric without forecast skill
    has that alone. Known are the share of all windows of the ``history`` that crossed, and the habits of a series.
    """
    limits, base = _limits(history), base_rates(history, calibration.horizon)
    counts = [Windows.of(panel, calibration.horizon) for panel, _ in held_out]
    trust = learn_trust([(panel, windows) for (panel, _), windows in zip(held_out, counts, strict=True)])
    plain = _judging(choice, held_out, calibration, Chances(chances.persistence), counts)
    corrected = _judging(choice, held_out, calibration, chances, counts)
    told: dict[str, Odds] = {}
    habits: dict[str, Habit] = {}
    skills: dict[str, list[Events]] = {}
    for metric, limit in limits.items():
        own = plain.get(metric, [])
        odds, habit = Odds(limit=limit), Habit(0.0, base[metric], trust.get(metric, 0.0))
        if own and _brier(corrected[metric]) <= _brier(own):
            odds, own = replace(chances.correction(metric), limit=limit), corrected[metric]
        known = [habit.known(*part.windows) for part in own]
        habit = replace(habit, share=pool_share(own, np.concatenate(known)) if own else 0.0)
        told[metric], habits[metric] = odds, habit
        skills[metric] = [
            replace(part, likely=habit.share * part.likely + (1 - habit.share) * rate)
            for part, rate in zip(own, known, strict=True)
        ]
    return (
        tuple(_judged(s, skills.get(s.metric, []), habits.get(s.metric)) for s in choice.skills),
        Chances(chances.persistence, told, habits),
    )


def _judging(
    choice: Choice,
    held_out: Sequence[tuple[Panel, HeldOut]],
    calibration: Calibration,
    given: Chances,
    counts: Sequence[Windows],
) -> dict[str, list[Events]]:
    """Windows that choose, by metric, with the chances that the chosen forecasters give."""
    found: dict[str, list[Events]] = {}
    shares = independent_shares([panel for panel, _ in held_out])
    for (panel, table), share, windows in zip(held_out, shares, counts, strict=True):
        values = chosen_values(table, calibration, choice.makers)
        for metric, events in _events(table, ~table.calibrates, values, given, (panel, windows)).items():
            found.setdefault(metric, []).append(replace(events, weight=events.weight * share))
    return found


def _limits(panels: Sequence[Panel]) -> dict[str, float]:
    """Limits by metric, of those that have one."""
    return {m.name: m.limit for panel in panels for m in panel.metrics if m.limit is not None and m.is_limited}


def _brier(parts: Sequence[Events]) -> float:
    return brier(np.concatenate([one.likely for one in parts]), np.concatenate([one.happened for one in parts]))


def _events(
    table: HeldOut, chosen: Marks, values: Float, chances: Chances, past: tuple[Panel, Windows] | None = None
) -> dict[str, Events]:
    """Chance of the ``chosen`` windows to cross the limit, and whether they did, by metric.

    Windows that begin beyond the limit do not count. With the ``past``, own earlier windows of each series are added,
    and one-offs happen too.
    """
    by_metric = {}
    weight = _independent(table.lstm, chosen)
    now, actual = (table.now, table.actual) if past is None else table.seen
    for metric, (limit, upwards) in table.limits.items():
        side = 1 if upwards else -1
        beyond = side * now > side * limit
        known = chosen & ~beyond & np.isfinite(actual).any(axis=1)
        rows = np.flatnonzero(known & (table.metrics == metric))
        if not len(rows):
            continue
        forecasts = replace(
            table.lstm.rows(rows.tolist()),
            values=values[rows],
            persistence=(chances.autocorrelation(metric),) * len(rows),
            odds=(chances.correction(metric),) * len(rows),
        )
        likely = likelihood(forecasts, np.full(len(rows), limit, np.float32), upwards=np.full(len(rows), upwards))
        happened = np.asarray((side * actual[rows] > side * limit).any(axis=1), np.bool_)
        by_metric[metric] = Events(likely, happened, weight)
        if past is not None:
            by_metric[metric] = replace(by_metric[metric], windows=_own_windows(*past, forecasts))
    return by_metric


def _own_windows(panel: Panel, windows: Windows, forecasts: Forecasts) -> Doubles:
    """Windows of each row's series that were over by its origin, with a crossing and all: ``[2, row]``."""
    entities = {name: place for place, name in enumerate(panel.entity_ids)}
    metrics = {name: place for place, name in enumerate(panel.metric_names)}
    slots = (forecasts.origins - panel.start) // panel.step
    rows = np.array([entities[series.entity] for series in forecasts.series], np.int64)
    columns = np.array([metrics[series.metric] for series in forecasts.series], np.int64)
    return np.stack(windows.until(slots.astype(np.int64), rows, columns))


def _independent(forecasts: Forecasts, chosen: Marks) -> float:
    """Share of the windows that would not overlap: their span in horizons over the number of their origins."""
    origins = np.unique(forecasts.origins[chosen])
    if not len(origins):
        return 1.0
    span = float((origins[-1] - origins[0]) / np.timedelta64(forecasts.interval_s, "s")) / forecasts.horizon
    return min((1 + span) / len(origins), 1.0)


def _judged(skill: Skill, events: Sequence[Events], habit: Habit | None) -> Skill:
    if not events or habit is None:
        return skill
    likely = np.concatenate([part.likely for part in events])
    happened = np.concatenate([part.happened for part in events])
    known = brier(np.full(len(happened), habit.rate), happened)
    told = brier(likely, happened)
    unskilled = habit.share < LEAST_SHARE and not habit.trust
    note = "; ".join(part for part in (skill.note, NO_SKILL if unskilled else "") if part)
    return replace(skill, brier=told, brier_base=known, bins=reliability(likely, happened), note=note)
