"""Training: random windows gathered from one block, a fixed number of steps, each batch in parts side by side."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from brownout.domain.ports import Progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.architecture import QuantileLstm, build, pinball
from brownout.forecasting.network.scaling import Scale
from brownout.forecasting.network.series_block import SeriesBlock
from brownout.forecasting.network.threads import side_by_side
from brownout.forecasting.network.windows import windows

__all__ = ["draw", "importance_of", "train"]

CPU = torch.device("cpu")
CLIP = 1.0
"""Largest norm of a gradient."""
RATIOS = (0.02, 20.0)
"""Least and largest ratio of a window's spread to its series' seasonal error that counts as such."""
PARTS = 2
"""Parts of a batch, whatever the machine has: the sum of their gradients is the same on any number of cores."""
REPORT_EVERY = 20
WARM = 0.25
"""Share of the steps, and of the learning rate, of a training that starts from a trained network."""
CHECK_EVERY = 25
"""Steps of a warm training between two validations."""
PATIENCE = 3
"""Validations without a gain after which a warm training stops."""
CHECKED = 512
"""Windows of a validation, always the same."""


def train(
    block: SeriesBlock,
    settings: LstmSettings,
    progress: Progress,
    start: QuantileLstm | None = None,
    device: torch.device = CPU,
) -> QuantileLstm:
    """Learn from all series of a block on a device; equal seed, data and start give equal weights on the CPU.

    A training that starts from a network of the same shape takes a quarter of the steps, or fewer where the loss on
    fixed windows gets no smaller.
    """
    network = build(settings)
    if start is not None:
        network.load_state_dict(start.state_dict())
        settings = replace(
            settings, steps=max(round(settings.steps * WARM), 1), learning_rate=settings.learning_rate * WARM
        )
    network.to(device)
    for share in _learning(
        network, block, settings, None if start is None else _EarlyStopping(block, settings, device)
    ):
        progress("train lstm", share)
    progress("train lstm", 1.0)
    return network.eval()


def _learning(
    network: QuantileLstm, block: SeriesBlock, settings: LstmSettings, stopping: "_EarlyStopping | None"
) -> Iterator[float]:
    """Train a network; yields the share done now and then.

    Windows are drawn on the CPU, so that a seed draws the same ones for any device.
    """
    near = block.to(network.device)
    generator = torch.Generator().manual_seed(settings.seed)
    optimiser = AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps + 1, pct_start=0.1)
    replicas = [network, *(_sharing(network) for _ in range(PARTS - 1))]
    with side_by_side(PARTS) as pool:
        for step in range(settings.steps):
            samples = _Samples(*draw(block, settings.batch, generator)).to(network.device)
            tasks = zip(replicas, samples.parts(), strict=True)
            list(pool.map(lambda task: _learn(task[0], near, task[1], settings), tasks))
            _gather(replicas)
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            schedule.step()
            if stopping is not None and step % CHECK_EVERY == 0 and stopping.stops(network):
                break
            if step % REPORT_EVERY == 0:
                yield step / settings.steps


def draw(block: SeriesBlock, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random series and origins, each after its series' first value and, where it has two, before its last."""
    rows = torch.randint(len(block), (number,), generator=generator)
    first, last = block.first[rows], block.last[rows]
    share = torch.rand(number, generator=generator, dtype=torch.float64)
    return rows, first + (share * (last - first)).long()


def importance_of(block: SeriesBlock, rows: Tensor, scale: Scale) -> Tensor:
    """How much each window counts, ``[row]`` with mean 1.

    Skill is measured in units of the series' seasonal error, the loss in units of the window's spread. The weight is
    the square root of spread over error, half way (in logarithms) between the two units.
    """
    ratio = (scale.spread[:, 0] / block.error[rows]).nan_to_num(0.0, posinf=0.0)
    importance = ratio.clamp(*RATIOS).sqrt()
    return importance / importance.mean()


class _EarlyStopping:
    """Stops a training once the loss on a fixed set of windows gets no smaller."""

    def __init__(self, block: SeriesBlock, settings: LstmSettings, device: torch.device) -> None:
        drawn = draw(block, CHECKED, torch.Generator().manual_seed(settings.seed + 1))
        rows, origins = (part.to(device) for part in drawn)
        near = block.to(device)
        with device:
            ahead = torch.arange(1, settings.horizon + 1)
            self.inputs = windows(near, rows, origins, settings)
            self.target = self.inputs.scale.apply(near.take(rows, origins[:, None] + ahead))
            self.importance = importance_of(near, rows, self.inputs.scale)
        self.least, self.waited = float("inf"), 0

    def stops(self, network: QuantileLstm) -> bool:
        """Whether the loss has not got smaller for ``PATIENCE`` validations."""
        with torch.inference_mode(), network.device:
            loss = float(pinball(network(self.inputs), self.target, self.importance))
        self.waited = 0 if loss < self.least else self.waited + 1
        self.least = min(self.least, loss)
        return self.waited >= PATIENCE


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Windows of an optimiser step: series and origins ``[row]``."""

    rows: Tensor
    origins: Tensor

    def to(self, device: torch.device) -> "_Samples":
        """The same windows in the memory of a device."""
        return _Samples(self.rows.to(device), self.origins.to(device))

    def parts(self) -> Iterator["_Samples"]:
        """As many parts as there are; an empty one where the batch is smaller."""
        both = (torch.tensor_split(field, PARTS) for field in (self.rows, self.origins))
        for rows, origins in zip(*both, strict=True):
            yield _Samples(rows, origins)


def _learn(network: QuantileLstm, block: SeriesBlock, samples: _Samples, settings: LstmSettings) -> None:
    """Leave the gradient of a part in a replica."""
    network.zero_grad()
    rows, origins = samples.rows, samples.origins
    if not len(rows):
        return
    with network.device:
        ahead = torch.arange(1, settings.horizon + 1)
        batch = windows(block, rows, origins, settings)
        target = batch.scale.apply(block.take(rows, origins[:, None] + ahead))
        loss = pinball(network(batch), target, importance_of(block, rows, batch.scale))
    loss.backward()  # type: ignore[no-untyped-call] # torch does not type it


def _sharing(network: QuantileLstm) -> QuantileLstm:
    """A copy that shares the weights and has gradients of its own."""
    replica = copy.deepcopy(network)
    for copied, shared in zip(replica.parameters(), network.parameters(), strict=True):
        copied.data = shared.data
    return replica


def _gather(replicas: list[QuantileLstm]) -> None:
    """Mean gradient of the replicas, in the first one, added in a fixed order."""
    for parameters in zip(*(replica.parameters() for replica in replicas), strict=True):
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if gradients:
            parameters[0].grad = torch.stack(gradients).sum(0) / len(parameters)
