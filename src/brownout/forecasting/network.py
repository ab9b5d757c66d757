"""The network: an LSTM over patches of a window with a monotone quantile head."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from brownout.domain.forecasts import QUANTILES
from brownout.forecasting.block import FAMILIES
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.windows import CHANNELS, STATICS, Windows

__all__ = ["ANCHORS", "QuantileLstm", "build", "pinball"]

ANCHORS = 6
"""Candidates a median leans on: the level, the last value, one, two and seven seasons earlier, the straight line."""
MIDDLE = QUANTILES.index(0.5)
EMBEDDING = 8


class QuantileLstm(nn.Module):
    """One LSTM over context and horizon; values after the origin are hidden from it, what is known of them is not.

    The median of a step is a learned mixture of anchors plus a correction; the other quantiles are steps up and down
    from it that cannot be negative.
    """

    def __init__(self, settings: LstmSettings) -> None:
        super().__init__()
        self.horizon, self.patches = settings.horizon, settings.horizon_patches
        self.outputs = ANCHORS + len(QUANTILES)
        self.family = nn.Embedding(len(FAMILIES), EMBEDDING)
        self.entry = nn.Linear(settings.patch * CHANNELS + STATICS + EMBEDDING, settings.hidden)
        self.lstm = nn.LSTM(settings.hidden, settings.hidden, settings.layers, batch_first=True)
        self.hidden = nn.Linear(2 * settings.hidden, settings.hidden)
        self.head = nn.Linear(settings.hidden, settings.patch * self.outputs)

    def forward(self, windows: Windows) -> Tensor:
        """Scaled quantiles ``[row, step, quantile]``, never decreasing along the last axis."""
        family = self.family(windows.family)[:, None].expand(-1, windows.slots.shape[1], -1)
        entry = torch.nn.functional.gelu(self.entry(torch.cat([windows.slots, windows.statics, family], 2)))
        states, _ = self.lstm(entry)
        ahead = torch.cat([states[:, -self.patches :], entry[:, -self.patches :]], 2)
        raw = self.head(torch.nn.functional.gelu(self.hidden(ahead))).reshape(len(family), -1, self.outputs)
        raw = raw[:, : self.horizon]
        weights = raw[..., :ANCHORS].softmax(2)
        median = (weights * windows.anchors[:, : self.horizon]).sum(2) + raw[..., ANCHORS]
        gaps = softplus(raw[..., ANCHORS + 1 :] - 2.0)
        down = median[..., None] - gaps[..., :MIDDLE].cumsum(2).flip(2)
        up = median[..., None] + gaps[..., MIDDLE:].cumsum(2)
        return torch.cat([down, median[..., None], up], 2)


def build(settings: LstmSettings) -> QuantileLstm:
    """A network with the random weights of the settings' seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return QuantileLstm(settings)


def pinball(quantiles: Tensor, target: Tensor) -> Tensor:
    """Mean quantile loss of ``[row, step, quantile]`` against ``[row, step]``; NaN targets do not count."""
    levels = torch.tensor(QUANTILES)
    known = target.isfinite()
    error = torch.where(known, target, 0.0)[..., None] - quantiles
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(2)
    return (loss * known).sum() / known.sum().clamp(min=1)
