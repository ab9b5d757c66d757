"""From series and origins to what the network reads, vectorised over a batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from brownout.forecasting.block import SeriesBlock
from brownout.forecasting.drift import Drift, no_drift
from brownout.forecasting.settings import LstmSettings

__all__ = ["CHANNELS", "STATICS", "Scale", "Windows", "spread_of", "windows"]

LONG_SEASON = 7
"""The long season is so many short ones: a week of days."""
CHANNELS = 8
"""Inputs a slot: value, one and two short seasons and one long season earlier, each with its presence."""
STATICS = 8
"""Inputs a patch beside its slots: time of day, day of week, place, level, spread and gaps of the window."""
FLAT = 1e-4
"""Share of its level below which a window's spread is taken for flat: a meter's last digit, not a movement."""
TREND = 8
"""Slots that the straight line of the last anchor is drawn through."""
TINY = 1e-6
"""Smallest scale at all, for windows of nothing but zeros."""
REACH = 12.0
"""Largest scaled value: 80,000 spreads away from the level, where arcsinh no longer tells much."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Level and spread of each window ``[row, 1]``, and the transform they make."""

    level: Tensor
    spread: Tensor

    def apply(self, values: Tensor) -> Tensor:
        """Scaled values: arcsinh of the distance from the level in spreads; NaN stays NaN."""
        return torch.asinh((values - self.level) / self.spread).clamp(-REACH, REACH)

    def revert(self, scaled: Tensor) -> Tensor:
        """Values from scaled ones of shape ``[row, step, quantile]``."""
        return torch.sinh(scaled) * self.spread[..., None] + self.level[..., None]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A batch of inputs.

    ``slots`` is float32 ``[row, patch, slot of the patch × channel]``, ``statics`` ``[row, patch, statics]``,
    ``family`` int64 ``[row]``, ``anchors`` ``[row, step, candidate]`` the scaled values that a forecast may lean on.
    """

    slots: Tensor
    statics: Tensor
    family: Tensor
    anchors: Tensor
    scale: Scale


def windows(
    block: SeriesBlock, rows: Tensor, origins: Tensor, settings: LstmSettings, drift: Drift | None = None
) -> Windows:
    """Inputs of series ``rows`` at slots ``origins`` (the last seen), both int64 ``[row]``; reads nothing later.

    ``drift`` is what training adds to the values.
    """
    drift = drift or no_drift(rows)
    past = settings.context_patches * settings.patch
    future = settings.horizon_patches * settings.patch
    steps = torch.arange(1 - past, future + 1)
    season = block.season[rows]
    context = drift.added(block.take(rows, origins[:, None] + steps[:past]), steps[:past])
    places = [earlier(steps, season, k) for k in (1, 2, LONG_SEASON)]
    lags = [drift.added(block.take(rows, origins[:, None] + place), place) for place in places]
    scale = _scale(context, lags)
    recent = scale.apply(context)
    unknown = recent.new_full((len(rows), future), torch.nan)
    channels = [torch.cat([recent, unknown], 1), *(scale.apply(lag) for lag in lags)]
    inputs = torch.stack([part for channel in channels for part in _with_presence(channel)], 2)
    last = _last_value(recent)
    candidates = [torch.zeros_like(unknown), last[:, None].expand_as(unknown), *(lag[:, past:] for lag in channels[1:])]
    candidates.append(scale.apply(_straight_on(context[:, -TREND:], future)))
    anchors = torch.stack(candidates, 2)
    return Windows(
        slots=inputs.reshape(len(rows), -1, settings.patch * CHANNELS),
        statics=_statics(block, rows, origins, steps[:: settings.patch], (context, scale)),
        family=block.family[rows],
        anchors=torch.where(anchors.isnan(), last[:, None, None], anchors),
        scale=scale,
    )


def spread_of(block: SeriesBlock, rows: Tensor, origins: Tensor, slots: int) -> Tensor:
    """Mean absolute deviation of the slots up to the origins, ``[row]``; 0 where nothing was measured."""
    recent = block.take(rows, origins[:, None] + torch.arange(1 - slots, 1))
    level = recent.nanmedian(1, keepdim=True).values
    return (recent - level).abs().nanmean(1).nan_to_num()


def _straight_on(recent: Tensor, future: int) -> Tensor:
    """The line through what was measured lately, carried on for ``future`` steps; NaN where less than two are."""
    seen = recent.isfinite()
    time = torch.arange(1 - recent.shape[1], 1).expand_as(recent).float()
    count = seen.sum(1, keepdim=True).clamp(min=1)
    values, times = recent.nan_to_num(), time * seen
    middle, center = values.sum(1, keepdim=True) / count, times.sum(1, keepdim=True) / count
    away = (time - center) * seen
    slope = (away * (values - middle)).sum(1, keepdim=True) / (away**2).sum(1, keepdim=True)
    return middle + slope * (torch.arange(1, future + 1) - center)


def earlier(steps: Tensor, season: Tensor, seasons: int) -> Tensor:
    """Steps ``[row, step]`` at the same phase, at least ``seasons`` earlier and never after the origin (step 0)."""
    needed = -(-steps.clamp(min=0)[None] // season[:, None])
    return steps[None] - needed.clamp(min=seasons) * season[:, None]


def _scale(context: Tensor, lags: list[Tensor]) -> Scale:
    """Median and mean absolute deviation of the context; of the seasons before where the context is a gap."""
    older = torch.cat(lags, 1)
    level = context.nanmedian(1, keepdim=True).values
    level = torch.where(level.isnan(), older.nanmedian(1, keepdim=True).values, level)
    spread = (context - level).abs().nanmean(1, keepdim=True)
    level, spread = level.nan_to_num(), spread.nan_to_num()
    return Scale(level, torch.maximum(spread, FLAT * level.abs()).clamp(min=TINY))


def _with_presence(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.nan_to_num(), values.isfinite().float()


def _last_value(values: Tensor) -> Tensor:
    """Last finite value of each row, 0 where there is none."""
    order = torch.arange(1, values.shape[1] + 1) * values.isfinite()
    place = order.max(1, keepdim=True).indices
    return values.gather(1, place)[:, 0].nan_to_num()


def _statics(block: SeriesBlock, rows: Tensor, origins: Tensor, starts: Tensor, window: tuple[Tensor, Scale]) -> Tensor:
    context, scale = window
    seconds = block.clock[rows, None] + (origins[:, None] + starts) * block.interval[rows, None]
    day = 2 * torch.pi * (seconds % 86_400).float() / 86_400
    week = 2 * torch.pi * (seconds % 604_800).float() / 604_800
    place = (starts.float() / starts.abs().max().clamp(min=1)).expand(len(rows), -1)
    spread = torch.log10(scale.spread / (scale.level.abs() + scale.spread)).expand_as(place)
    gaps = context.isnan().float().mean(1, keepdim=True).expand_as(place)
    level = torch.log10(scale.level.abs() + scale.spread).expand_as(place)
    return torch.stack([day.sin(), day.cos(), week.sin(), week.cos(), place, spread, level / 4, gaps], 2)
