"""Windows: from series and origins to the inputs of the network, vectorised over a batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from brownout.domain.forecasts import QUANTILES
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.profiles import day_slots, empirical, hour_slots
from brownout.forecasting.network.scaling import Scale, scale_of
from brownout.forecasting.network.series_block import SIBLING_METRICS, SeriesBlock

__all__ = ["ANCHORS", "CHANNELS", "STATICS", "Windows", "windows"]

LONG_SEASON = 7
"""The long season is so many short ones: a week of days."""
RECENT = (3, 6, 12)
"""Slots before the origin whose means are candidates for the level."""
RECENT_DISTRIBUTION = 48
"""Slots before the origin whose empirical quantiles are a candidate for the distribution."""
TREND = 8
"""Slots before the origin that the straight line is fitted to."""
PROFILES = (0, 4, 8)
"""Indices of the quantiles of the profiles of day and hour that the network reads: low, middle, high."""
CHANNELS = 8 + 2 * len(PROFILES) + len(SIBLING_METRICS)
"""Inputs a slot: value, one and two short and one long season earlier, each with its presence; profiles; siblings."""
STATICS = 10
"""Inputs a patch beside its slots: time of hour, day and week, position, spread, level and gaps of the window."""
ANCHORS = 6 + len(RECENT) + 4
"""Candidates that the network mixes. Points: the level, the last value, recent means, the values one, two and seven
seasons earlier, the straight line. Distributions: the context, its end, the profiles of day and hour."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A batch of inputs.

    ``slots`` is float32 ``[row, patch, slot of the patch × channel]``, ``statics`` ``[row, patch, statics]``,
    ``family`` and ``role`` int64 ``[row]``, ``anchors`` ``[row, step, candidate, quantile]`` scaled, never decreasing
    along the last axis.
    """

    slots: Tensor
    statics: Tensor
    family: Tensor
    role: Tensor
    anchors: Tensor
    scale: Scale


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """Rows of a block at their origins: steps count from the origin (0), and nothing after it is read."""

    block: SeriesBlock
    rows: Tensor
    origins: Tensor

    def at(self, steps: Tensor) -> Tensor:
        """Values of ``[row, ...]`` at steps ``[step]`` or ``[row, ...]``; NaN after the origin."""
        steps = steps.expand(len(self.rows), -1) if steps.dim() == 1 else steps
        flat = steps.flatten(1)
        values = self.block.take(self.rows, self.origins[:, None] + flat)
        return torch.where(flat <= 0, values, torch.nan).view(steps.shape)

    def siblings(self, steps: Tensor) -> Tensor:
        """Other series of the rows' entities at steps ``[step]``, each on its scale: ``[row, step, sibling]``, gaps 0.

        Rows of one entity share their siblings: each series is read once for an origin.
        """
        siblings = self.block.siblings[self.rows]
        siblings = torch.where(siblings == self.rows[:, None], -1, siblings)
        slots = self.block.length.max()
        pairs, inverse = torch.unique(siblings * slots + self.origins[:, None], return_inverse=True)
        rows, origins = pairs.div(slots, rounding_mode="floor"), pairs.remainder(slots)
        values = self.block.take(rows.clamp(min=0), origins[:, None] + steps)
        scaled = scale_of(values).apply(values).nan_to_num() * (rows >= 0)[:, None]
        of_rows: Tensor = scaled[inverse].transpose(1, 2)
        return of_rows


def windows(block: SeriesBlock, rows: Tensor, origins: Tensor, settings: LstmSettings) -> Windows:
    """Inputs of series ``rows`` at slots ``origins`` (the last seen), both int64 ``[row]``; reads nothing later."""
    view = _View(block, rows, origins)
    past = settings.context_patches * settings.patch
    future = settings.horizon_patches * settings.patch
    steps = torch.arange(1 - past, future + 1)
    season = block.season[rows]
    context = view.at(steps[:past])
    lags = [view.at(earlier(steps, season, k)) for k in (1, 2, LONG_SEASON)]
    scale = scale_of(context, lags)
    recent, scaled = scale.apply(context), [scale.apply(lag) for lag in lags]
    last = _last_value(recent)
    spreads = _distributions(view, recent, scale, steps[past:])
    points = _points(context, recent, [lag[:, past:] for lag in scaled], scale)
    anchors = torch.cat([points[..., None].expand(-1, -1, -1, len(QUANTILES)), spreads], 2)
    anchors = torch.where(anchors.isnan(), last[:, None, None, None], anchors)
    unknown = recent.new_full((len(rows), future), torch.nan)
    channels = [part for values in (torch.cat([recent, unknown], 1), *scaled) for part in _with_presence(values)]
    known = anchors[:, :, -2:, list(PROFILES)].flatten(2)
    inputs = torch.cat(
        [torch.stack(channels, 2), _padded(known, past, 0), _padded(view.siblings(steps[:past]), 0, future)], 2
    )
    return Windows(
        slots=inputs.reshape(len(rows), -1, settings.patch * CHANNELS),
        statics=_statics(block, rows, origins, steps[:: settings.patch], (context, scale)),
        family=block.family[rows],
        role=block.role[rows],
        anchors=anchors,
        scale=scale,
    )


def earlier(steps: Tensor, season: Tensor, seasons: int) -> Tensor:
    """Steps ``[row, step]`` at the same phase, at least ``seasons`` earlier and never after the origin (step 0)."""
    needed = -(-steps.clamp(min=0)[None] // season[:, None])
    return steps[None] - needed.clamp(min=seasons) * season[:, None]


def _points(context: Tensor, recent: Tensor, lags: list[Tensor], scale: Scale) -> Tensor:
    """Single values that a step may turn out like: ``[row, step, candidate]``, NaN where unknown."""
    future = lags[0].shape[1]
    levels = [torch.zeros_like(recent[:, 0]), _last_value(recent), *(recent[:, -k:].nanmean(1) for k in RECENT)]
    line = scale.apply(_straight_line(context[:, -TREND:], future))
    return torch.stack([*(level[:, None].expand(-1, future) for level in levels), *lags, line], 2)


def _distributions(view: _View, recent: Tensor, scale: Scale, ahead: Tensor) -> Tensor:
    """Empirical quantiles of values that resemble a step: ``[row, step, candidate, quantile]``, NaN where unknown."""
    hour_length = (3600 // view.block.interval[view.rows]).clamp(min=1)
    constant = [
        empirical(part)[:, None].expand(-1, len(ahead), -1) for part in (recent, recent[:, -RECENT_DISTRIBUTION:])
    ]
    first = ahead[: int(hour_length.max())]  # the hour's profile repeats itself
    day, hour = (
        empirical(scale.apply(view.at(slots)))
        for slots in (day_slots(ahead, view.block.season[view.rows]), hour_slots(first, hour_length))
    )
    phase = ((ahead[None] - 1) % hour_length[:, None])[..., None].expand(-1, -1, hour.shape[2])
    return torch.stack([*constant, day, hour.gather(1, phase)], 2)


def _straight_line(recent: Tensor, future: int) -> Tensor:
    """The least-squares line through recent values, carried on for ``future`` steps; NaN with fewer than two values."""
    seen = recent.isfinite()
    time = torch.arange(1 - recent.shape[1], 1).expand_as(recent).float()
    count = seen.sum(1, keepdim=True).clamp(min=1)
    values, times = recent.nan_to_num(), time * seen
    middle, center = values.sum(1, keepdim=True) / count, times.sum(1, keepdim=True) / count
    distance = (time - center) * seen
    slope = (distance * (values - middle)).sum(1, keepdim=True) / (distance**2).sum(1, keepdim=True)
    return middle + slope * (torch.arange(1, future + 1) - center)


def _with_presence(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.nan_to_num(), values.isfinite().float()


def _padded(values: Tensor, before: int, after: int) -> Tensor:
    """``[row, step, channel]`` with so many steps of zeros before and after."""
    return torch.nn.functional.pad(values, (0, 0, before, after))


def _last_value(values: Tensor) -> Tensor:
    """Last finite value of each row, 0 where there is none."""
    order = torch.arange(1, values.shape[1] + 1) * values.isfinite()
    last = order.max(1, keepdim=True).indices
    return values.gather(1, last)[:, 0].nan_to_num()


def _statics(block: SeriesBlock, rows: Tensor, origins: Tensor, starts: Tensor, window: tuple[Tensor, Scale]) -> Tensor:
    context, scale = window
    seconds = block.clock[rows, None] + (origins[:, None] + starts) * block.interval[rows, None]
    hour, day, week = (2 * torch.pi * (seconds % period).float() / period for period in (3_600, 86_400, 604_800))
    clock = [wave for phase in (hour, day, week) for wave in (phase.sin(), phase.cos())]
    position = (starts.float() / starts.abs().max().clamp(min=1)).expand(len(rows), -1)
    spread = torch.log10(scale.spread / (scale.level.abs() + scale.spread)).expand_as(position)
    gaps = context.isnan().float().mean(1, keepdim=True).expand_as(position)
    level = torch.log10(scale.level.abs() + scale.spread).expand_as(position)
    return torch.stack([*clock, position, spread, level / 4, gaps], 2)
