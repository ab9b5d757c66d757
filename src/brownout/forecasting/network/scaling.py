"""Scaling: each window on its own scale, so that one network serves kilobytes and percentages."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Scale", "scale_of"]

FLAT = 1e-4
"""Least spread of a window as a share of its level: below it there is rounding, not movement."""
TINY = 1e-6
"""Smallest scale at all, for windows of nothing but zeros."""
REACH = 12.0
"""Largest scaled value: arcsinh of 80,000 spreads."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Level and spread of each window ``[row, 1]``, and the transform they make."""

    level: Tensor
    spread: Tensor

    def apply(self, values: Tensor) -> Tensor:
        """Scaled values of ``[row, …]``: arcsinh of the distance from the level in spreads; NaN stays NaN."""
        shape = (-1,) + (1,) * (values.dim() - 1)
        return torch.asinh((values - self.level.view(shape)) / self.spread.view(shape)).clamp(-REACH, REACH)

    def revert(self, scaled: Tensor) -> Tensor:
        """Values from scaled ones of shape ``[row, step, quantile]``."""
        return torch.sinh(scaled) * self.spread[..., None] + self.level[..., None]


def scale_of(context: Tensor, older: Sequence[Tensor] = ()) -> Scale:
    """Median and mean absolute deviation of the context ``[row, slot]``; of older slots where the context is a gap."""
    level = context.nanmedian(1, keepdim=True).values
    if older:
        level = torch.where(level.isnan(), torch.cat(list(older), 1).nanmedian(1, keepdim=True).values, level)
    spread = (context - level).abs().nanmean(1, keepdim=True)
    level, spread = level.nan_to_num(), spread.nan_to_num()
    return Scale(level, torch.maximum(spread, FLAT * level.abs()).clamp(min=TINY))
