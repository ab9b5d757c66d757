"""Training: random windows gathered from one block, a fixed number of steps."""

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from brownout.domain.ports import Progress
from brownout.forecasting.block import SeriesBlock
from brownout.forecasting.drift import draw_drift
from brownout.forecasting.network import QuantileLstm, build, pinball
from brownout.forecasting.scaling import Scale
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.windows import spread_of, windows

__all__ = ["draw", "importance_of", "train"]

CLIP = 1.0
"""Largest norm of a gradient."""
RATIOS = (0.02, 20.0)
"""Least and largest ratio of a window's spread to its series' seasonal error that counts as such."""
REPORT_EVERY = 20


def train(block: SeriesBlock, settings: LstmSettings, progress: Progress) -> QuantileLstm:
    """Learn from all series of a block; equal seed, data and threads give equal weights."""
    network = build(settings)
    generator = torch.Generator().manual_seed(settings.seed)
    optimiser = AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps + 1, pct_start=0.1)
    ahead = torch.arange(1, settings.horizon + 1)
    for step in range(settings.steps):
        rows, origins = draw(block, settings.batch, generator)
        drift = draw_drift(block, rows, spread_of(block, rows, origins, settings.horizon), generator)
        batch = windows(block, rows, origins, settings, drift)
        target = batch.scale.apply(drift.added(block.take(rows, origins[:, None] + ahead), ahead))
        optimiser.zero_grad()
        importance = importance_of(block, rows, batch.scale)
        pinball(network(batch), target, importance).backward()  # type: ignore[no-untyped-call] # torch does not type it
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        if step % REPORT_EVERY == 0:
            progress("train lstm", step / settings.steps)
    progress("train lstm", 1.0)
    return network.eval()


def importance_of(block: SeriesBlock, rows: Tensor, scale: Scale) -> Tensor:
    """How much each window counts, ``[row]`` with mean 1.

    Skill is stated in units of the series' seasonal error, the loss in units of the window's spread. The root of their
    ratio takes half the way from one to the other: lively windows count more, and none drowns the rest.
    """
    ratio = (scale.spread[:, 0] / block.error[rows]).nan_to_num(0.0, posinf=0.0)
    importance = ratio.clamp(*RATIOS).sqrt()
    return importance / importance.mean()


def draw(block: SeriesBlock, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random series and origins, each after its series' first value and, where it has two, before its last."""
    rows = torch.randint(len(block), (number,), generator=generator)
    first, last = block.first[rows], block.last[rows]
    share = torch.rand(number, generator=generator, dtype=torch.float64)
    return rows, first + (share * (last - first)).long()
