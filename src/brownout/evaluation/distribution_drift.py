"""Drift of a distribution: how far values lie from those of another time, by size and not by certainty alone.

With thousands of samples every difference is significant. A drift is called one only where its effect is large (the
population stability index and the Kolmogorov-Smirnov distance) and where entities agree about it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import stats

from brownout.domain.findings.model_drift import Drift, DriftOf
from brownout.evaluation.paired_tests import holm, signed_rank
from brownout.numerics.arrays import Doubles

__all__ = ["corrected", "input_drift", "shift_drift", "stability_index"]

SURE = 0.01
"""Chance below which entities agree, after correction for the number of comparisons."""
BINS = 10


def stability_index(before: Doubles, now: Doubles) -> float:
    """Population stability index over the deciles of ``before``: the symmetric Kullback-Leibler divergence of shares.

    Deciles that coincide (an idle disk's zero) are one bin; half a value in each bin keeps empty ones finite.
    """
    if not len(before) or not len(now):
        return float("nan")
    inner = np.unique(np.quantile(before, np.arange(1, BINS) / BINS))
    # A value that equals a decile lies at the lower side of it, so that a value that occurs often has a bin of its own.
    shares = []
    for values in (before, now):
        counts = np.bincount(np.searchsorted(inner, values, side="left"), minlength=len(inner) + 1)
        shares.append((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def input_drift(name: str, kind: str, before: Sequence[Doubles], now: Sequence[Doubles]) -> Drift:
    """A metric then and now, the values of one entity an item, in the same order; ``p`` is not corrected yet.

    Each entity counts the same, however often it was measured.
    """
    pairs = [pair for pair in zip(before, now, strict=True) if len(pair[0]) and len(pair[1])]
    nothing = float("nan")
    if not pairs:
        return Drift(
            of=DriftOf.INPUT, name=name, kind=kind, before=nothing, now=nothing, psi=nothing, distance=nothing,
            p=nothing, entities=0, drifted=False,
        )  # fmt: skip
    points = (np.arange(24) + 0.5) / 24
    then, lately = (np.concatenate([np.quantile(pair[side], points) for pair in pairs]) for side in (0, 1))
    medians = np.array([[np.median(values) for values in pair] for pair in pairs])
    return Drift(
        of=DriftOf.INPUT,
        name=name,
        kind=kind,
        before=float(np.median(then)),
        now=float(np.median(lately)),
        psi=stability_index(then, lately),
        distance=float(stats.ks_2samp(then, lately, method="asymp").statistic),
        p=signed_rank(medians[:, 1] - medians[:, 0], "two-sided"),
        entities=len(pairs),
        drifted=False,
    )


def shift_drift(of: DriftOf, name: str, before: Doubles, now: Doubles) -> Drift:
    """Residuals or coverage of entities then and now, in the same order; worse is larger for residuals, else smaller.

    ``p`` is not corrected yet; it is one-sided, since forecasts that got better are no trouble.
    """
    known = np.isfinite(before) & np.isfinite(now)
    then, lately = before[known], now[known]
    alternative: Literal["less", "greater"] = "greater" if of is DriftOf.RESIDUAL else "less"
    nothing = float("nan")
    return Drift(
        of=of,
        name=name,
        kind="",
        before=float(np.median(then)) if len(then) else nothing,
        now=float(np.median(lately)) if len(lately) else nothing,
        psi=nothing,
        distance=nothing,
        p=signed_rank(lately - then, alternative),
        entities=len(then),
        drifted=False,
    )


def corrected(drifts: Sequence[Drift], *, large: Sequence[bool]) -> tuple[Drift, ...]:
    """The comparisons with Holm's correction over all of them; drifted is what is ``large`` and certain."""
    chances = holm([drift.p for drift in drifts])
    return tuple(
        replace(drift, p=p, drifted=bool(big and p < SURE))
        for drift, p, big in zip(drifts, chances, large, strict=True)
    )
