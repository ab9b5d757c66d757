"""Shadow runs: a forecaster that waits forecasts night after night beside the one in use, and both are judged by it.

What is forecast came after both trainings, so that neither its calibration nor its choice between forecasters can have
seen it. Nothing that a shadow forecasts is told, written back or alarmed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brownout.domain.encoding import Instant, Number, encode
from brownout.domain.errors import DataError
from brownout.domain.findings.model_cards import Comparison
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import judge_training
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext
from brownout.nightly.effects.champions import challenger_of, facts_of, record_of, settle
from brownout.nightly.effects.review.card_files import write_card_page, write_facts
from brownout.nightly.model_review.forecaster_comparison import MOST_ENTITIES, compare_losses
from brownout.nightly.model_review.sampled_panels import sampled_forecast_panels
from brownout.nightly.model_review.window_losses import WindowLosses, joined_losses, window_losses
from brownout.numerics.slots import days
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_result
from brownout.store.workspace import Workspace

__all__ = ["ShadowNight", "read_shadow", "shadow_challenger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSeries:
    """Sums of a series over a night's window, as in ``WindowLosses``."""

    entity: str
    family: str
    challenger: Number
    champion: Number
    naive: Number
    inside: Number
    champion_inside: Number
    count: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowNight:
    """A night that both forecast: the end of its data, and the losses of each series over the horizon before it."""

    end: Instant
    series: tuple[ShadowSeries, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFile:
    """The nights of a challenger beside a champion; those of another pair do not count."""

    challenger_trained_to: Instant
    champion_trained_to: Instant
    nights: tuple[ShadowNight, ...] = ()


def shadow_challenger(context: NightContext, workspace: Workspace, note: Callable[[str], None]) -> None:
    """Let the forecaster that waits forecast beside the one in use, and settle who serves once the nights are over."""
    wanted, champion = context.settings.review.shadow_nights, workspace.forecaster
    new, old = record_of(challenger_of(champion)), record_of(champion)
    if not wanted or new is None or old is None:
        return
    nights = read_shadow(champion, new, old)
    if len(nights) < wanted:
        latest = _shadow_night(context, champion, new)
        if latest is None or any(night.end == latest.end for night in nights):
            return
        nights = (*nights, latest)
        shadow_file = ShadowFile(
            challenger_trained_to=new.trained_to, champion_trained_to=old.trained_to, nights=nights
        )
        write_text(_path(champion), encode(shadow_file))
    note(f"the forecaster that waits ran beside the one in use in {len(nights)} of {wanted} nights")
    if len(nights) >= wanted:
        _judge(context, champion, (new, old), nights)


def read_shadow(champion: Path, new: ModelRecord, old: ModelRecord) -> tuple[ShadowNight, ...]:
    """The nights in which a challenger ran beside a champion; none of other pairs, nor where the file is damaged."""
    path = _path(champion)
    if not path.is_file():
        return ()
    try:
        known = read_result(ShadowFile, path)
    except DataError:
        return ()
    same = (known.challenger_trained_to, known.champion_trained_to) == (new.trained_to, old.trained_to)
    return known.nights if same else ()


def _shadow_night(context: NightContext, champion: Path, new: ModelRecord) -> ShadowNight | None:
    """Both forecasts of the last horizon; None where a part of it was seen in the training."""
    settings = context.settings.forecast
    ours, theirs = SelectedForecaster.load(challenger_of(champion)), SelectedForecaster.load(champion)
    past = days(max(settings.context_days, settings.outlook_context_days))
    span = (max(context.span.first, context.span.end - past), context.span.end)
    panels = sampled_forecast_panels(context, span, ours.parts, most=MOST_ENTITIES)
    longest = max(panels, key=lambda panel: panel.values.shape[1], default=None)
    if longest is None:
        return None
    origin = longest.end - (ours.settings.horizon + 1) * longest.step
    if origin + longest.step < new.trained_to - longest.step:
        return None
    first, second = (window_losses(forecaster, panels, [origin]) for forecaster in (ours, theirs))
    if len(first.count) != len(second.count) or not first.count.any():
        return None
    columns = (first.entities, first.families, first.ours, second.ours, first.naive, first.inside, second.inside)
    rows = zip(*(column.tolist() for column in (*columns, first.count)), strict=True)
    names = ("entity", "family", "challenger", "champion", "naive", "inside", "champion_inside", "count")
    series = tuple(ShadowSeries(**dict(zip(names, row, strict=True))) for row in rows)
    return ShadowNight(end=context.span.end, series=series)


def _judge(
    context: NightContext, champion: Path, records: tuple[ModelRecord, ModelRecord], nights: tuple[ShadowNight, ...]
) -> None:
    """Put what the nights said into the card, and let the rules decide."""
    new, old = records
    folder = challenger_of(champion)
    facts = facts_of(folder)
    if facts is None:
        return
    if facts.shadow is None:
        ours, theirs = (joined_losses(_losses(nights, which)) for which in ("challenger", "champion"))
        facts = replace(facts, shadow=_comparison(old, nights, compare_losses(ours, theirs)))
        write_facts(folder, facts)
        skills = tuple(SelectedForecaster.load(folder).skills_)
        write_card_page(folder, (new, facts, skills), judge_training(context.review, old, new, facts), context.metrics)
    settle(champion, context.review, now=context.created)


def _comparison(old: ModelRecord, nights: tuple[ShadowNight, ...], compared: Comparison) -> Comparison:
    return replace(
        compared,
        champion_trained_to=old.trained_to,
        start=nights[0].end,
        end=nights[-1].end,
        windows=len(nights),
    )


def _losses(nights: tuple[ShadowNight, ...], which: str) -> list[WindowLosses]:
    inside: Mapping[str, str] = {"challenger": "inside", "champion": "champion_inside"}

    def column(night: ShadowNight, name: str) -> np.ndarray:
        return np.array([getattr(series, name) for series in night.series])

    return [
        WindowLosses(
            entities=column(night, "entity").astype(str),
            families=column(night, "family").astype(str),
            ours=column(night, which),
            naive=column(night, "naive"),
            inside=column(night, inside[which]),
            count=column(night, "count"),
        )
        for night in nights
    ]


def _path(champion: Path) -> Path:
    return champion.with_name(f"{champion.name}-shadow.json")
