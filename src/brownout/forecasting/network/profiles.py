"""Profiles: empirical quantiles of the values at the same time of the day, or the same minute of the hour.

Backups and scheduled jobs start at a time of the day or a minute of the hour; idle disks are nearly always at zero. A
network that predicts shifts of the last value cannot express such distributions, so they are inputs and candidates.
"""

import torch
from torch import Tensor

from brownout.domain.forecasts import QUANTILES

__all__ = ["day_slots", "empirical", "hour_slots"]

DAYS = 7
"""Seasons of a day profile; each gives the slot itself and its two neighbours."""
HOURS = 24
"""Values of an hour profile: one at the same minute of each of the hours before the origin."""


def empirical(values: Tensor) -> Tensor:
    """Quantiles ``[…, quantile]`` of the last axis, linear between order statistics; NaN where nothing is measured."""
    ordered = values.sort(-1).values  # NaN sorts last
    last = (ordered.isfinite().sum(-1, keepdim=True) - 1).clamp(min=0)
    position = torch.tensor(QUANTILES) * last
    low = position.floor().long()
    below, above = ordered.gather(-1, low), ordered.gather(-1, torch.minimum(low + 1, last))
    return below + (above - below) * (position - low)


def day_slots(ahead: Tensor, season: Tensor) -> Tensor:
    """Slots ``[row, step, 3 × DAYS]`` around the same time on the days before; those after the origin (0) are not read.

    ``ahead`` int64 ``[step]`` counts from the origin, ``season`` ``[row]`` is the length of a day.
    """
    first = -(-ahead[None] // season[:, None])
    days = (first[..., None] + torch.arange(DAYS)) * season[:, None, None]
    slots = ahead[None, :, None, None] - days[..., None] + torch.arange(-1, 2)
    return slots.flatten(2)


def hour_slots(ahead: Tensor, hour_length: Tensor) -> Tensor:
    """Slots ``[row, step, HOURS]`` at the same minute of the hours before the origin (0).

    ``hour_length`` ``[row]`` is the number of slots in an hour, at least 1.
    """
    first = -(-ahead[None] // hour_length[:, None])
    return ahead[None, :, None] - (first[..., None] + torch.arange(HOURS)) * hour_length[:, None, None]
