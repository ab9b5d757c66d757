"""Drifts: steady rises and falls that training adds to some windows, since leaks are rare in any history.

A drift begins some time before the origin and goes on through the horizon, up to the valid range of the series. Without
them a network that saw no leak expects each to stop at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from brownout.forecasting.network.series_block import SeriesBlock

__all__ = ["SHARE", "Drift", "draw_drift", "no_drift"]

SHARE = 0.05
"""Share of training windows that get a drift."""
ONSET = (2.0, 96.0)
"""Slots before the origin at which a drift begins, drawn evenly in the logarithm."""
SLOPE = (0.02, 1.0)
"""Change a slot, in spreads of the series, drawn evenly in the logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """``onset`` int64 ``[row]``, steps relative to the origin; ``slope`` float32 ``[row]``, change a step; 0 = none."""

    onset: Tensor
    slope: Tensor
    lower: Tensor
    upper: Tensor

    def added(self, values: Tensor, steps: Tensor) -> Tensor:
        """Values ``[row, step]`` at steps relative to the origin with the drift on top, within the valid range."""
        ramp = self.slope[:, None] * (steps - self.onset[:, None]).clamp(min=0)
        drifted = torch.minimum(torch.maximum(values + ramp, self.lower[:, None]), self.upper[:, None])
        return torch.where(self.slope[:, None] == 0, values, drifted)


def no_drift(rows: Tensor) -> Drift:
    """Nothing is added."""
    zero = torch.zeros(len(rows))
    return Drift(torch.zeros(len(rows), dtype=torch.int64), zero, zero, zero)


def draw_drift(block: SeriesBlock, rows: Tensor, spread: Tensor, generator: torch.Generator) -> Drift:
    """Random drifts for a share of the rows; ``spread`` ``[row]`` is their size in the series' own units."""
    number = len(rows)
    draws = torch.rand((4, number), generator=generator)
    onset = -torch.exp(_between(draws[0], ONSET)).long()
    slope = torch.exp(_between(draws[1], SLOPE)) * spread * torch.where(draws[2] < 0.5, -1.0, 1.0)
    return Drift(onset, torch.where(draws[3] < SHARE, slope, 0.0), block.lower[rows], block.upper[rows])


def _between(draws: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = torch.log(torch.tensor(bounds))
    between: Tensor = low + draws * (high - low)
    return between
