"""What a forest says of slots: how far each one deviates, its level, and how new it is, its novelty."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import IsolationForest

from brownout.detection.features.feature_table import FEATURES, FOREST_FEATURES, LOW_RANK
from brownout.domain.panel import Float, Marks
from brownout.numerics.rolling import rolling_mean
from brownout.numerics.slots import HOUR_S, whole_slots

__all__ = ["RawScores", "levels_and_novelties", "raw_scores"]

BATCH = 200_000
LEVEL_WEIGHTS = {"sample_largest": 0.1, "hour_largest": 0.1, "level_power": 0.1}
NOVELTY_WEIGHTS = {
    **dict.fromkeys(("novelty_half", "novelty_3h_half", "volatility_novelty_half", "record_half"), 0.1),
    **dict.fromkeys(("volatility_half", "volatility_3h_half"), 0.05),
}
RELATED_WEIGHTS = {"low_rank": 0.1, "sample_largest": 0.05, "volatility_half": 0.05}
"""Weights of features that are added to the score of the forest, which cannot tell far from farther (features are
logarithms of deviations): one set of weights gives the level, the other two the novelty. Where relations between
metrics are known, a novelty is made of how far they broke; elsewhere of how far values are from all earlier ones."""
WEIGHTS = np.array(
    [[part.get(name, 0.0) for name in FEATURES] for part in (LEVEL_WEIGHTS, NOVELTY_WEIGHTS, RELATED_WEIGHTS)],
    np.float32,
)
SAMPLE = FEATURES.index("sample_largest")
RECENT, RECENT_SHARE = (4 * HOUR_S, 24), 0.25
"""A novelty after unusual hours counts for more: share in it of the mean over the last four hours, or over 24 slots
where that is longer."""


@dataclass(frozen=True, slots=True, eq=False)
class RawScores:
    """What a forest says of each slot by itself, float32 ``[entity, time]``: level, novelty, and how far samples are.

    ``samples`` are the features of the largest deviation of a sample; ``related`` marks the slots at which relations
    between metrics are known.
    """

    levels: Float
    novelties: Float
    samples: Float
    related: Marks

    def before(self, slot: int) -> Self:
        """Those of the slots before one."""
        return type(self)(
            self.levels[:, :slot], self.novelties[:, :slot], self.samples[:, :slot], self.related[:, :slot]
        )

    def joined(self, later: Self) -> Self:
        """With those of the slots that follow."""
        return type(self)(
            np.concatenate([self.levels, later.levels], axis=1),
            np.concatenate([self.novelties, later.novelties], axis=1),
            np.concatenate([self.samples, later.samples], axis=1),
            np.concatenate([self.related, later.related], axis=1),
        )


def levels_and_novelties(raw: RawScores, interval_s: int) -> tuple[Float, Float]:
    """Levels and novelties ``[entity, time]``, with regard to the slots before each.

    Where relations between metrics are known, a slot's novelty is its own.
    """
    novelties = np.where(raw.related, raw.novelties, _with_recent_mean(raw.novelties, interval_s))
    return _without_lone_samples(raw.levels, raw.samples), novelties


def _without_lone_samples(levels: Float, sample: Float) -> Float:
    """Levels without what a sample adds that did not deviate one slot earlier: a single sample makes no level."""
    corrected = levels.copy()
    corrected[:, 1:] -= LEVEL_WEIGHTS["sample_largest"] * np.fmax(sample[:, 1:] - sample[:, :-1], 0)
    return corrected


def _with_recent_mean(novelties: Float, interval_s: int) -> Float:
    """Novelties averaged with their mean over the last hours, weighted by ``RECENT_SHARE``."""
    width = whole_slots(RECENT[0], interval_s, least=RECENT[1])
    weighted: Float = (1 - RECENT_SHARE) * novelties + RECENT_SHARE * rolling_mean(novelties, width)
    return weighted


def raw_scores(forest: IsolationForest, rows: Float) -> RawScores:
    """Levels and novelties of rows ``[entity, time, feature]`` in the forest's own units, higher = more abnormal."""
    flat = rows.reshape(-1, rows.shape[-1])
    known = np.flatnonzero(np.isfinite(flat).all(axis=1))
    related = flat[:, LOW_RANK] > 0
    scores = np.full((2, len(flat)), np.nan, np.float32)
    for first in range(0, len(known), BATCH):
        chosen = known[first : first + BATCH]
        level, unlike, broken = WEIGHTS @ flat[chosen].T
        added = np.stack([level, np.where(related[chosen], broken, unlike)])
        scores[:, chosen] = added - forest.score_samples(flat[chosen, : len(FOREST_FEATURES)])
    levels, novelties = scores.reshape(2, *rows.shape[:2])
    return RawScores(levels, novelties, rows[..., SAMPLE].copy(), related.reshape(rows.shape[:2]))
