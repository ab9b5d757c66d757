"""Paired tests over entities: whether a model is better or worse than another one, each entity beside itself.

Windows of one entity overlap and resemble each other, so that they are no independent evidence; entities are nearly so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import stats

from brownout.domain.findings.model_cards import PairedTest
from brownout.numerics.arrays import Doubles

__all__ = ["ALL", "FEWEST", "holm", "log_ratios", "paired_counts", "paired_test", "paired_tests", "signed_rank"]

ALL = "all"
FEWEST = 6
"""Pairs from which on a test is made: with five, no result of a signed-rank test has a one-sided p below 0.03."""
INTERVAL = 0.9
SMALLEST = 1e-9
"""Loss, in units of seasonal-naive's own, below which two models are equal: both are right."""


def paired_tests(losses: Mapping[str, tuple[Doubles, Doubles]], *, against: str) -> tuple[PairedTest, ...]:
    """A test for each resource, its chances corrected over the resources by Holm, and one for all entities together.

    Parameters
    ----------
    losses
        By resource: losses of the newer and of the other model, an entity a row, in the same order. ``all`` is not
        corrected: it is the one question that was asked beforehand.
    """
    tests = [paired_test(name, *pair, against=against) for name, pair in losses.items()]
    single = [test for test in tests if test.family != ALL]
    worse, better = (holm([getattr(test, key) for test in single]) for key in ("p_worse", "p_better"))
    corrected = (replace(test, p_worse=w, p_better=b) for test, w, b in zip(single, worse, better, strict=True))
    return (*(test for test in tests if test.family == ALL), *corrected)


def paired_test(family: str, ours: Doubles, theirs: Doubles, *, against: str) -> PairedTest:
    """Compare two forecasters; entities count that have a loss of both models, unless both losses are zero."""
    logs = log_ratios(ours, theirs)
    if not len(logs):
        nothing = float("nan")
        return PairedTest(
            family=family, against=against, entities=0, ratio=nothing, low=nothing, high=nothing,
            p_worse=nothing, p_better=nothing,
        )  # fmt: skip
    ratio, low, high = np.exp(hodges_lehmann(logs))
    enough = len(logs) >= FEWEST
    return PairedTest(
        family=family,
        against=against,
        entities=len(logs),
        ratio=float(ratio),
        low=float(low) if enough else float("nan"),
        high=float(high) if enough else float("nan"),
        p_worse=signed_rank(logs, "greater"),
        p_better=signed_rank(logs, "less"),
    )


def log_ratios(ours: Doubles, theirs: Doubles) -> Doubles:
    """Logarithms of the ratios of two losses of each entity, ``[entity]``."""
    known = np.isfinite(ours) & np.isfinite(theirs) & (np.maximum(ours, theirs) > SMALLEST)
    logs: Doubles = np.log(np.maximum(ours[known], SMALLEST)) - np.log(np.maximum(theirs[known], SMALLEST))
    return logs


def signed_rank(differences: Doubles, alternative: Literal["two-sided", "less", "greater"]) -> float:
    """The p of Wilcoxon's signed-rank test; NaN with fewer than six differences, 1 where none differs.

    Differences of zero are ranked and halved (Pratt 1959): a model that mostly does the same is not much worse.
    """
    if len(differences) < FEWEST:
        return float("nan")
    if not differences.any():
        return 1.0
    test = stats.wilcoxon(differences, zero_method="zsplit", alternative=alternative, method="approx")
    return float(test.pvalue)


def hodges_lehmann(values: Doubles) -> Doubles:
    """Estimate of the centre of symmetric differences with its 90 % interval: ``[estimate, low, high]``.

    The estimate is the median of the means of all pairs, the interval the order statistics of those means that a
    signed-rank test does not reject (Hollander, Wolfe and Chicken 2013, section 3.3).
    """
    rows, columns = np.triu_indices(len(values))
    means = np.sort((values[rows] + values[columns]) / 2)
    n = len(values)
    spread = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    outside = int(max(np.floor(n * (n + 1) / 4 - stats.norm.ppf((1 + INTERVAL) / 2) * spread), 0))
    return np.array([np.median(means), means[min(outside, len(means) - 1)], means[max(len(means) - 1 - outside, 0)]])


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for their number (Holm 1979), in their order; NaN stays and does not count."""
    known = [index for index, p in enumerate(chances) if np.isfinite(p)]
    corrected = [float("nan")] * len(chances)
    largest = 0.0
    for rank, index in enumerate(sorted(known, key=lambda one: chances[one])):
        largest = max(largest, min((len(known) - rank) * chances[index], 1.0))
        corrected[index] = largest
    return corrected


def paired_counts(family: str, ours: Doubles, theirs: Doubles, *, against: str) -> PairedTest:
    """A test of counts, most of which are zero: ``ratio`` is that of the sums, each with one more; no interval."""
    differences = (ours - theirs).astype(np.float64)
    return PairedTest(
        family=family,
        against=against,
        entities=len(differences),
        ratio=float((ours.sum() + 1) / (theirs.sum() + 1)),
        low=float("nan"),
        high=float("nan"),
        p_worse=signed_rank(differences, "greater"),
        p_better=signed_rank(differences, "less"),
    )
