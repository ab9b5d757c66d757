"""Bottlenecks: allowances are learned, and without labels the longest stage is the answer."""

import numpy as np
import pytest

from brownout.diagnosis.evidence.display_stages import Bottleneck
from brownout.domain.errors import DataError

STAGES = ("render", "encode", "network")


def frames(seed: int) -> tuple[np.ndarray, list[str]]:
    """A network that always takes 50 ms and is rarely at fault; a renderer that is late from 25 ms on."""
    rng = np.random.default_rng(seed)
    times = np.column_stack([rng.uniform(4, 12, 300), rng.uniform(2, 6, 300), rng.uniform(35, 60, 300)])
    labels = ["network"] * 300
    for row in range(0, 300, 3):
        times[row, 0] = rng.uniform(26, 45)
        labels[row] = "render"
    for row in range(1, 300, 30):
        times[row, 1] = rng.uniform(25, 40)
        labels[row] = "encode"
    return times, labels


def test_learned_allowances_beat_the_longest_stage() -> None:
    model = Bottleneck.learn(STAGES, *frames(0))
    times, labels = frames(1)
    longest = np.mean([a == b for a, b in zip(Bottleneck.longest(STAGES).name(times), labels, strict=True)])
    learned = np.mean([a == b for a, b in zip(model.name(times), labels, strict=True)])
    assert longest < 0.75
    assert learned > 0.97


def test_a_stage_that_was_not_measured_is_no_bottleneck() -> None:
    assert Bottleneck.longest(STAGES).name(np.array([[3.0, np.nan, 2.0], [np.nan, 1.0, 4.0]])) == ["render", "network"]


def test_a_label_that_is_no_stage_is_named() -> None:
    with pytest.raises(DataError, match="audio"):
        Bottleneck.learn(STAGES, np.ones((1, 3)), ["audio"])
