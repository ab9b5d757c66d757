"""The record of earlier nights: their warnings and their advice beside what was measured since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.encoding import as_time
from brownout.domain.entities import EntityKind
from brownout.domain.errors import BrownoutError
from brownout.domain.findings.past_scores import AdviceScore, AdviceVerdict, DoneAction, PastScores, WarningScore
from brownout.domain.forecasts import Series
from brownout.domain.panel import Doubles, Panel
from brownout.nightly.context import NightContext
from brownout.nightly.effects.action_log import done_actions
from brownout.nightly.effects.report_archive import archive_name, archived_nights
from brownout.nightly.effects.side_effects import SideEffects
from brownout.nightly.questions.last_night import panels_on_one_grid
from brownout.nightly.run import NightResult
from brownout.numerics.slots import days
from brownout.store.plain_json import read_json
from brownout.store.workspace import Workspace

__all__ = ["past_scores", "with_past_scores"]

WARNED_DAYS = 14.0
"""Warnings of nights so far back are judged."""
ADVICE_DAYS = 60.0
"""Actions done so far back are shown."""
WARNINGS_A_NIGHT = 100
"""The most probable ones of a night are judged."""
SETTLES = np.timedelta64(3_600_000, "ms")
"""Time after an action in which what it changed may still move."""
LEAST_S = 3600.0
"""What must be measured after that before anything is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warning:
    """A limit that a night said would be crossed, from its ``start`` until its ``end``."""

    series: Series
    limit: float
    probability: float
    start: np.datetime64
    end: np.datetime64
    dates: tuple[np.datetime64, np.datetime64] | None


def past_scores(context: NightContext, workspace: Workspace) -> PastScores:
    """What came of warnings and of logged actions until the end of the context's data; reads only."""
    end = context.span.end
    warnings, nights = _warnings(workspace, end - days(WARNED_DAYS), end)
    done = [one for one in done_actions(workspace) if end - days(ADVICE_DAYS) <= one.at <= end]
    latest_first = sorted(done, key=lambda one: (one.at, one.link), reverse=True)
    return PastScores(
        warnings=_judged(context, warnings, nights), advice=tuple(_advice(context, one) for one in latest_first)
    )


def with_past_scores(
    result: NightResult, context: NightContext, workspace: Workspace, effects: SideEffects
) -> NightResult:
    """The night with the scores of earlier nights; unchanged, and with a failed effect, where they cannot be read."""
    try:
        past = past_scores(context, workspace)
    except (BrownoutError, OSError) as error:
        effects.fail("score earlier nights", error)
        return result
    return replace(result, night=replace(result.night, past=past))


def _warnings(workspace: Workspace, since: np.datetime64, end: np.datetime64) -> tuple[list[_Warning], int]:
    """Warnings whose time is over, of nights whose data ended after a time, and how many nights these are."""
    warnings: list[_Warning] = []
    nights = 0
    for name in archived_nights(workspace):
        if not archive_name(since) <= name < archive_name(end):
            continue
        try:
            stored = read_json(workspace.archive / name / "report.json")
            start = as_time(stored["window"]["end"])
            over = [one for one in _of_night(stored["breaches"], start) if one.end <= end]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged report of another night says nothing about it
        warnings += over[:WARNINGS_A_NIGHT]
        nights += bool(over)
    return warnings, nights


def _of_night(breaches: Sequence[Mapping[str, object]], start: np.datetime64) -> Iterator[_Warning]:
    for breach in breaches:
        if breach.get("exceeded"):
            continue
        earliest, latest = (breach.get(key) for key in ("earliest", "latest"))
        dated = isinstance(earliest, str) and isinstance(latest, str)
        yield _Warning(
            series=Series(str(breach["entity"]), str(breach["metric"])),
            limit=float(str(breach["limit"])),
            probability=float(str(breach["probability"])),
            start=start,
            end=start + np.timedelta64(round(float(str(breach["horizon_s"])) * 1000), "ms"),
            dates=(as_time(str(earliest)), as_time(str(latest))) if dated else None,
        )


def _judged(context: NightContext, warnings: Sequence[_Warning], nights: int) -> WarningScore:
    entities, metrics = ({getattr(one.series, name) for one in warnings} for name in ("entity", "metric"))
    factor_s = context.settings.forecast.step_minutes * 60
    panels = panels_on_one_grid(context, entities, metrics, WARNED_DAYS) if warnings else ()
    coarse = [panel.coarsen(max(factor_s // panel.interval_s, 1)) for panel in panels]
    judged = came = dated = inside = 0
    expected = 0.0
    for one in warnings:
        crossed = _first_beyond(context, coarse, one)
        if crossed is None:
            continue  # nothing was measured then
        judged, expected = judged + 1, expected + one.probability
        if not np.isnat(crossed):
            came += 1
            dated += one.dates is not None
            inside += one.dates is not None and bool(one.dates[0] <= crossed <= one.dates[1])
    return WarningScore(nights=nights, told=judged, came=came, expected=expected, dated=dated, inside=inside)


def _first_beyond(context: NightContext, panels: Sequence[Panel], one: _Warning) -> np.datetime64 | None:
    """When the series was first beyond the limit; NaT where it never was, None where it was not measured."""
    metric = context.metrics.get(one.series.metric)
    for panel in panels:
        if metric is None or one.series.entity not in panel.entity_ids or metric.name not in panel.metric_names:
            continue
        part = panel.between(one.start, one.end)
        values = part.values[panel.entity_ids.index(one.series.entity), :, panel.metric_names.index(metric.name)]
        if not np.isfinite(values).any():
            return None
        up = metric.worse.value == "up"
        beyond = np.flatnonzero(values > one.limit if up else values < one.limit)
        return part.times[beyond[0]] if len(beyond) else np.datetime64("NaT", "ms")
    return None


def _advice(context: NightContext, done: DoneAction) -> AdviceScore:
    if not done.metric:
        return AdviceScore(action=done, came=float("nan"), verdict=AdviceVerdict.UNSAID)
    since = done.at + SETTLES
    if (context.span.end - since) / np.timedelta64(1, "s") < LEAST_S:
        return AdviceScore(action=done, came=float("nan"), verdict=AdviceVerdict.EARLY)
    came = _level(context, done, since)
    if not np.isfinite(came):
        return AdviceScore(action=done, came=came, verdict=AdviceVerdict.UNKNOWN)
    verdict = (
        AdviceVerdict.BETTER if came < done.low else AdviceVerdict.WORSE if came > done.high else AdviceVerdict.AS_SAID
    )
    return AdviceScore(action=done, came=came, verdict=verdict)


def _level(context: NightContext, done: DoneAction, since: np.datetime64) -> float:
    """Median of the day after an action, then over the consoles that it reaches."""
    then = context.topology.at(done.at)
    reached = {done.entity, *then.descendants(then.root(done.entity) if done.host else done.entity)}
    consoles = [name for name in reached if context.topology[name].kind == EntityKind.CONSOLE]
    back = (context.span.end - since) / np.timedelta64(1, "D")
    panels = panels_on_one_grid(context, consoles, {done.metric}, float(back) + 0.1) if consoles else ()
    parts = [panel.between(since, since + days(1)).values[..., 0] for panel in panels if panel.metrics]
    rows: list[Doubles] = [row[np.isfinite(row)].astype(np.float64) for part in parts for row in part]
    levels = [float(np.median(row)) for row in rows if len(row)]
    return float(np.median(levels)) if levels else float("nan")
