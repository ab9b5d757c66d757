"""Seeded random streams, one for each purpose, so that what one part draws never moves another part."""

from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

__all__ = ["Floats", "Streams", "bursts", "counted", "ema", "smooth", "spikes"]

Floats = npt.NDArray[np.float32]


class Streams:
    """Generators by name: the same seed and name give the same numbers, whatever else was drawn."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, name: str) -> np.random.Generator:
        """A fresh generator for a purpose."""
        return np.random.default_rng([self.seed, crc32(name.encode())])


def smooth(rng: np.random.Generator, shape: tuple[int, int], *, tau_s: float, interval_s: float) -> Floats:
    """First-order autoregressive noise ``[row, slot]`` of unit variance that forgets within ``tau_s`` seconds."""
    keep = float(np.exp(-interval_s / tau_s))
    draws = rng.standard_normal(shape, dtype=np.float32)
    first = draws[:, :1] * keep / np.sqrt(1 - keep * keep)
    noise, _ = lfilter([np.sqrt(1 - keep * keep)], [1, -keep], draws, axis=1, zi=first * np.sqrt(1 - keep * keep))
    return noise.astype(np.float32)


def ema(values: Floats, *, tau_s: float, interval_s: float) -> Floats:
    """Exponential average ``[row, slot]``, as the kernel keeps its load averages; starts at the first value."""
    keep = float(np.exp(-interval_s / tau_s))
    averaged, _ = lfilter([1 - keep], [1, -keep], values, axis=1, zi=values[:, :1] * keep)
    return averaged.astype(np.float32)


def spikes(rng: np.random.Generator, shape: tuple[int, int], *, chance: float, index: float = 1.6) -> Floats:
    """Factors ``[row, slot]``: 1 nearly always, else a Pareto tail from 2 to 12, as latencies have."""
    factors = np.ones(shape, np.float32)
    hit = rng.random(shape, dtype=np.float32) < chance
    factors[hit] = np.minimum(2 + rng.pareto(index, int(hit.sum())), 12)
    return factors


def bursts(
    rng: np.random.Generator, shape: tuple[int, int], *, per_day: float, mean_s: float, interval_s: float
) -> Floats:
    """Compound Poisson bursts ``[row, slot]``: log-normal heights around 1, lengths around ``mean_s`` seconds."""
    rows, slots = shape
    found = np.zeros(shape, np.float32)
    number = rng.poisson(per_day * slots * interval_s / 86_400 * rows)
    row, start = rng.integers(0, rows, number), rng.integers(0, slots, number)
    length = np.maximum(rng.exponential(mean_s / interval_s, number).astype(int), 1)
    for r, s, n, height in zip(row, start, length, rng.lognormal(0, 0.5, number), strict=True):
        found[r, s : s + n] += height
    return found


def counted(rng: np.random.Generator, tries: int, chance: Floats, shape: tuple[int, int]) -> Floats:
    """Successes ``[row, slot]`` of some tries; draws as many numbers whatever the chances are."""
    found = np.zeros(shape, np.float32)
    for _ in range(tries):
        found += rng.random(shape, dtype=np.float32) < chance
    return found
