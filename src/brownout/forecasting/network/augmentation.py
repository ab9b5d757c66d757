"""Augmentation: steady ramps that training adds to some windows, since leaks are rare in any history.

A ramp begins some time before the origin and goes on through the horizon, up to the valid range of the series. Without
ramps, a network that saw no leak expects each to stop at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from brownout.forecasting.network.series_block import SeriesBlock

__all__ = ["Ramps", "draw_ramps", "no_ramps"]

ONSET = (2.0, 96.0)
"""Slots before the origin at which a ramp begins, drawn evenly in the logarithm."""
SLOPE = (0.02, 1.0)
"""Change a slot, in spreads of the series, drawn evenly in the logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """A ramp for each row of a batch.

    Attributes
    ----------
    onset
        int64 ``[row]``: step at which it begins, counted from the origin.
    slope
        float32 ``[row]``: change a step; 0 = no ramp.
    lower, upper
        float32 ``[row]``: valid range of the series.
    """

    onset: Tensor
    slope: Tensor
    lower: Tensor
    upper: Tensor

    def added_to(self, values: Tensor, steps: Tensor) -> Tensor:
        """Values ``[row, step]`` at steps relative to the origin with the ramps on top, within the valid range."""
        ramp = self.slope[:, None] * (steps - self.onset[:, None]).clamp(min=0)
        raised = torch.minimum(torch.maximum(values + ramp, self.lower[:, None]), self.upper[:, None])
        return torch.where(self.slope[:, None] == 0, values, raised)


def no_ramps(rows: Tensor) -> Ramps:
    """Nothing is added to any of the rows."""
    zero = torch.zeros(len(rows))
    return Ramps(torch.zeros(len(rows), dtype=torch.int64), zero, zero, zero)


def draw_ramps(block: SeriesBlock, rows: Tensor, spread: Tensor, generator: torch.Generator, *, share: float) -> Ramps:
    """Random ramps for a share of the rows; ``spread`` ``[row]`` is that of each series, in its own unit."""
    number = len(rows)
    draws = torch.rand((4, number), generator=generator)
    onset = -torch.exp(_between(draws[0], ONSET)).long()
    slope = torch.exp(_between(draws[1], SLOPE)) * spread * torch.where(draws[2] < 0.5, -1.0, 1.0)
    return Ramps(onset, torch.where(draws[3] < share, slope, 0.0), block.lower[rows], block.upper[rows])


def _between(draws: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = torch.log(torch.tensor(bounds))
    between: Tensor = low + draws * (high - low)
    return between
