"""The network: an LSTM over patches of a window with a monotone quantile head."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from brownout.domain.forecasts import QUANTILES
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.series_block import FAMILIES, ROLES
from brownout.forecasting.network.windows import ANCHORS, CHANNELS, STATICS, Windows

__all__ = ["QuantileLstm", "build", "pinball"]

MIDDLE = QUANTILES.index(0.5)
EMBEDDING = 8
NARROW = 3.0
"""Initial steps between quantiles are softplus(-NARROW), small as the mixture is wide already."""


class QuantileLstm(nn.Module):
    """One LSTM over context and horizon; of steps after the origin it reads calendar and profiles, never values.

    The quantiles of a step are a learned mixture, in quantile space, of the candidates of the window (its anchors),
    moved by a correction and widened by non-negative steps up and down, so that they never cross.
    """

    def __init__(self, settings: LstmSettings) -> None:
        super().__init__()
        self.horizon, self.patches = settings.horizon, settings.horizon_patches
        self.outputs = ANCHORS + len(QUANTILES)
        self.family = nn.Embedding(len(FAMILIES), EMBEDDING)
        self.role = nn.Embedding(len(ROLES), EMBEDDING)
        self.entry = nn.Linear(settings.patch * CHANNELS + STATICS + 2 * EMBEDDING, settings.hidden)
        self.lstm = nn.LSTM(settings.hidden, settings.hidden, settings.layers, batch_first=True)
        self.hidden = nn.Linear(2 * settings.hidden, settings.hidden)
        self.head = nn.Linear(settings.hidden, settings.patch * self.outputs)

    @property
    def device(self) -> torch.device:
        """Where the weights are; as a context, where new tensors are made."""
        return self.head.weight.device

    def forward(self, windows: Windows) -> Tensor:
        """Scaled quantiles ``[row, step, quantile]``, never decreasing along the last axis."""
        kind = torch.cat([self.family(windows.family), self.role(windows.role)], 1)
        kind = kind[:, None].expand(-1, windows.slots.shape[1], -1)
        entry = torch.nn.functional.gelu(self.entry(torch.cat([windows.slots, windows.statics, kind], 2)))
        states, _ = self.lstm(entry)
        ahead = torch.cat([states[:, -self.patches :], entry[:, -self.patches :]], 2)
        raw = self.head(torch.nn.functional.gelu(self.hidden(ahead))).reshape(len(kind), -1, self.outputs)
        raw = raw[:, : self.horizon]
        weights = raw[..., :ANCHORS].softmax(2)
        mixed = (weights[..., None, :] @ windows.anchors[:, : self.horizon])[..., 0, :] + raw[..., ANCHORS, None]
        gaps = softplus(raw[..., ANCHORS + 1 :] - NARROW)
        down, up = -gaps[..., :MIDDLE].cumsum(2).flip(2), gaps[..., MIDDLE:].cumsum(2)
        quantiles: Tensor = mixed + torch.cat([down, torch.zeros_like(down[..., :1]), up], 2)
        return quantiles


def build(settings: LstmSettings) -> QuantileLstm:
    """A network with the random weights of the settings' seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return QuantileLstm(settings)


def pinball(quantiles: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean quantile loss of ``[row, step, quantile]`` against ``[row, step]``; NaN targets do not count.

    ``weights`` ``[row]`` say how much a row counts.
    """
    levels = torch.tensor(QUANTILES)
    known = target.isfinite()
    error = torch.where(known, target, 0.0)[..., None] - quantiles
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(2)
    counted = known if weights is None else known * weights[:, None]
    return (loss * counted).sum() / counted.sum().clamp(min=1e-6)
