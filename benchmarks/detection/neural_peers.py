"""PaAno and KAN-AD, re-implemented from their papers for tables side by side; on one core, with smaller batches.

PaAno: Park and Kang, "Patch-based representation learning for time-series anomaly detection", ICLR 2026. KAN-AD: Zhou
et al., "Time series anomaly detection with Kolmogorov-Arnold networks", ICML 2025. Windows, layers, losses and rates
are those of the public implementations. Ours, so that a table ends on two cores: 100 steps in batches of 128 rather
than 512 and at most 500 patches in the memory (PaAno); at most 10 epochs on at most 20,000 windows, and one model for
all metrics (KAN-AD).
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from labelled_sets import Values
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NEURAL_PEERS", "kan_ad", "paano"]

PATCH, NEAR, MARGIN, NEIGHBOURS = 64, 2, 0.5, 3
"""PaAno: samples in a patch, how far a positive one begins away, margin of the triplets, neighbours in the memory."""
MEMORY = 0.1
BATCH, STEPS, RATE = 128, 100, 1e-4
WINDOW, ORDER = 96, 2
"""KAN-AD: samples that the next one is predicted from, and orders of the Fourier terms."""
EPOCHS, EXAMPLES = 10, 20_000


class PatchEncoder(nn.Module):
    """Four convolutions over a patch, each metric standardised in it, and the two heads that training needs."""

    def __init__(self, metrics: int) -> None:
        super().__init__()
        widths, kernels = (metrics, 128, 256, 128, 64), (7, 5, 3, 3)
        blocks = [
            nn.Sequential(nn.Conv1d(a, b, kernel, padding=kernel // 2, bias=False), nn.BatchNorm1d(b), nn.ReLU())
            for a, b, kernel in zip(widths, widths[1:], kernels, strict=False)
        ]
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.projection = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256))
        self.follows = nn.Linear(128, 1)

    def forward(self, patches: Tensor) -> Tensor:
        """Embeddings ``[patch, 64]`` of ``[patch, metric, time]``."""
        spread = (patches.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        found: Tensor = self.body((patches - patches.mean(dim=-1, keepdim=True)) / spread)
        return found


def paano(values: Values, split: int) -> Values:
    """Cosine distance of patches to the nearest in a memory of earlier ones, averaged over the patches of a sample."""
    torch.manual_seed(0)
    rows = torch.tensor(values, dtype=torch.float32).T
    width = min(PATCH, split // 2)
    patches = rows.unfold(1, width, 1).permute(1, 0, 2)
    known = patches[: split - width + 1]
    encoder = _trained(known, width)
    embedded = _embedded(encoder, patches)
    memory = _memory(embedded[: len(known)])
    distances = (1 - (embedded @ memory.T).topk(min(NEIGHBOURS, len(memory)), dim=1).values.mean(dim=1)).numpy()
    spread = np.ones(width)
    return np.convolve(distances, spread) / np.convolve(np.ones_like(distances), spread)


def _trained(patches: Tensor, width: int) -> PatchEncoder:
    encoder = PatchEncoder(patches.shape[1])
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS, RATE / 10)
    for step in range(STEPS):
        anchors = (
            torch.randint(width, len(patches), (min(BATCH, len(patches)),))
            if len(patches) > width
            else (torch.randint(0, len(patches), (BATCH,)))
        )
        away = torch.randint(1, NEAR + 1, anchors.shape) * (1 - 2 * torch.randint(0, 2, anchors.shape))
        near = (anchors + away).clamp(0, len(patches) - 1)
        weight = max(1 - 10 * step / STEPS, 0.0)
        anchor, positive = encoder(patches[torch.cat([anchors, near])]).chunk(2)
        loss = _triplet_loss(encoder, anchor, positive)
        if weight:
            loss = loss + weight * _order_loss(encoder, anchor, encoder(patches[(anchors - width).clamp(0)]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return encoder.eval()


def _triplet_loss(encoder: PatchEncoder, anchor: Tensor, positive: Tensor) -> Tensor:
    """The negative of an anchor is whatever of the batch lies farthest from it."""
    similar = functional.normalize(encoder.projection(anchor)) @ functional.normalize(encoder.projection(positive)).T
    apart = (1 - similar).masked_fill(torch.eye(len(anchor), dtype=torch.bool), -math.inf).amax(dim=1)
    return functional.relu(1 - similar.diagonal() - apart + MARGIN).mean()


def _order_loss(encoder: PatchEncoder, anchor: Tensor, before: Tensor) -> Tensor:
    """Is a patch the one just before another? Five drawn ones are not."""
    drawn = anchor[torch.randint(0, len(anchor), (5 * len(anchor),))]
    true = encoder.follows(torch.cat([anchor, before], dim=1))
    false = encoder.follows(torch.cat([anchor.repeat(5, 1), drawn], dim=1))
    one, none = torch.ones_like(true), torch.zeros_like(false)
    return functional.binary_cross_entropy_with_logits(true, one) + functional.binary_cross_entropy_with_logits(
        false, none
    )


@torch.inference_mode()
def _embedded(encoder: PatchEncoder, patches: Tensor) -> Tensor:
    return functional.normalize(torch.cat([encoder(part) for part in patches.split(512)]))


def _memory(embedded: Tensor) -> Tensor:
    """Centres of earlier patches, a tenth of their number and at most 500."""
    count = int(np.clip(MEMORY * len(embedded), 1, 500))
    centres = MiniBatchKMeans(count, n_init=1, random_state=0).fit(embedded.numpy()).cluster_centers_
    return functional.normalize(torch.tensor(centres, dtype=torch.float32))


class KanAd(nn.Module):
    """Sums of one-variable functions: cosines of the value and of its place in the window, mixed by convolutions."""

    def __init__(self, window: int) -> None:
        super().__init__()
        channels = 2 * ORDER + 1
        place = 2 * math.pi * torch.arange(window) / window
        self.register_buffer("places", torch.stack([torch.cos(order * place) for order in range(1, ORDER + 1)]))
        self.first = nn.Conv1d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv1d(channels, channels, 3, padding=1, bias=False)
        self.mixed = nn.Conv1d(channels, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm1d(channels), nn.BatchNorm1d(channels), nn.BatchNorm1d(1)])
        self.last = nn.Linear(window, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """The sample that follows windows ``[window, time]``."""
        value = rows[:, None]
        places = self.places.expand(len(rows), -1, -1)
        terms = torch.cat([places, *(torch.cos(order * value) for order in range(1, ORDER + 1)), value], dim=1)
        inner = functional.gelu(self.norms[0](self.first(terms)))
        inner = functional.gelu(self.norms[1](self.second(inner) + terms))
        whole: Tensor = self.last(functional.gelu(self.norms[2](self.mixed(inner) + value))[:, 0])[:, 0]
        return whole


def kan_ad(values: Values, split: int) -> Values:
    """Mean error over metrics of what one model predicts of the next change of each, in deviations of the past."""
    torch.manual_seed(0)
    changes = np.diff(values, axis=0, prepend=values[:1])
    changes = (changes - changes[:split].mean(axis=0)) / np.maximum(changes[:split].std(axis=0), 1e-6)
    width = min(WINDOW, split // 2)
    shaped = sliding_window_view(changes, width + 1, axis=0).astype(np.float32)
    rng = np.random.default_rng(0)
    metrics = values.shape[1]
    drawn = rng.permutation((split - width) * metrics)[:EXAMPLES]
    model = _fitted(torch.tensor(shaped[drawn // metrics, drawn % metrics]), width)
    errors = np.zeros(len(values))
    with torch.inference_mode():
        for metric in range(metrics):
            rows = torch.tensor(shaped[:, metric])
            guess = torch.cat([model(part[:, :-1]) for part in rows.split(8192)])
            errors[width:] += (guess - rows[:, -1]).abs().numpy() / metrics
    return errors


def _fitted(rows: Tensor, width: int) -> KanAd:
    model = KanAd(width)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 5, 0.75)
    for _ in range(EPOCHS):
        for part in rows[torch.randperm(len(rows))].split(1024):
            loss = functional.mse_loss(model(part[:, :-1]), part[:, -1])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return model.eval()


NEURAL_PEERS: Mapping[str, Callable[[Values, int], Values]] = {
    "PaAno, patches of 64": paano,
    "KAN-AD, windows of 96": kan_ad,
}
