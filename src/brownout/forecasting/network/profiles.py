"""What the past says of a step before any network: empirical quantiles of values that resemble it.

Backups and scheduled jobs come at a time of the day or a minute of the hour; idle disks are nearly always at zero. The
distribution of such values is no shift of the last one, so the network is given it whole.
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
    place = torch.tensor(QUANTILES) * last
    low = place.floor().long()
    below, above = ordered.gather(-1, low), ordered.gather(-1, torch.minimum(low + 1, last))
    return below + (above - below) * (place - low)


def day_slots(ahead: Tensor, season: Tensor) -> Tensor:
    """Slots ``[row, step, 3 × DAYS]`` around the same time on the days before; after the origin (0) they are unread.

    ``ahead`` int64 ``[step]`` counts from the origin, ``season`` ``[row]`` is the length of a day.
    """
    first = -(-ahead[None] // season[:, None])
    days = (first[..., None] + torch.arange(DAYS)) * season[:, None, None]
    around = ahead[None, :, None, None] - days[..., None] + torch.arange(-1, 2)
    return around.flatten(2)


def hour_slots(ahead: Tensor, beat: Tensor) -> Tensor:
    """Slots ``[row, step, HOURS]`` at the same minute of the hours before the origin (0).

    ``beat`` ``[row]`` is the number of slots in an hour, at least 1.
    """
    first = -(-ahead[None] // beat[:, None])
    return ahead[None, :, None] - (first[..., None] + torch.arange(HOURS)) * beat[:, None, None]
