"""The Numenta Anomaly Benchmark's own scoring, standard profile, written from its published rules.

Lavin and Ahmad 2015 (arXiv:1510.03336): the first 15 % of a file, at most 750 rows, are not judged; a window earns its
earliest detection's place on a sigmoid, or costs a miss; a false alarm costs more the farther it lies behind a window;
one threshold for the whole corpus, the one that scores best; 0 is a detector that says nothing, 100 a perfect one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.numerics.arrays import Doubles

__all__ = ["MISS", "MOST_PROBATION", "Judgement", "NabFile", "judge_corpus", "probation", "row_weights"]

FALSE_ALARM = 0.11
MISS = 1.0
PROBATION, MOST_PROBATION = 0.15, 750
FAR = 3.0
"""Widths of a window behind it from which a false alarm costs all."""


@dataclass(frozen=True, eq=False)
class NabFile:
    """One file: scores of its rows in time order, and its windows as first and last row, both inclusive."""

    scores: Doubles
    windows: Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The normalised score 0 … 100 (below 0 where saying nothing would be better), and what it is made of.

    ``files`` holds the score of each file in NAB's raw units at the threshold.
    """

    score: float
    threshold: float
    windows: int
    detected: int
    false_alarms: int
    files: Mapping[str, float]


def judge_corpus(files: Mapping[str, NabFile], threshold: float | None = None) -> Judgement:
    """Score a corpus with the threshold given, or with the one threshold that scores best on it."""
    scores, gains, owners = _rows(files)
    windows = int(owners.max(initial=-1)) + 1
    order = np.argsort(-scores, kind="stable")
    total = -MISS * windows + np.cumsum(_first_gains(gains[order], owners[order], windows))
    last_of_equals = np.r_[scores[order][1:] != scores[order][:-1], True]
    if threshold is None:
        best = int(np.argmax(np.where(last_of_equals, total, -np.inf)))
        threshold = float(scores[order][best]) if total[best] > -MISS * windows else np.inf
    raised = scores >= threshold
    by_file = {name: _file_score(file, threshold) for name, file in files.items()}
    return Judgement(
        score=50 * (sum(by_file.values()) + MISS * windows) / (MISS * max(windows, 1)),
        threshold=threshold,
        windows=windows,
        detected=len(np.unique(owners[raised & (owners >= 0)])),
        false_alarms=int((raised & (owners < 0)).sum()),
        files=by_file,
    )


def probation(rows: int) -> int:
    """Rows at the begin of a file that are not judged."""
    return int(min(np.floor(PROBATION * rows), MOST_PROBATION))


def row_weights(rows: int, windows: Sequence[tuple[int, int]]) -> tuple[Doubles, npt.NDArray[np.int64]]:
    """The score of an alarm at each row, and the index of the row's window, −1 for none."""
    weights = np.full(rows, -FALSE_ALARM)
    owners = np.full(rows, -1)
    indices = np.arange(rows)
    ordered = sorted(windows)
    for number, (first, last) in enumerate(ordered):
        width = last - first + 1
        inside = indices[first : last + 1]
        weights[inside] = _sigmoid((inside - last - 1) / width) / _sigmoid(np.array(-1.0))
        owners[inside] = number
        following = ordered[number + 1][0] if number + 1 < len(ordered) else rows
        behind = indices[last + 1 : following]
        weights[behind] = FALSE_ALARM * _sigmoid((behind - last) / max(width - 1, 1))
    return weights, owners


def _sigmoid(position: Doubles) -> Doubles:
    """NAB's sigmoid: about 1 at the left edge of a window, 0 at its right edge, and −1 far behind it."""
    value: Doubles = np.where(position >= FAR, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, FAR))) - 1)
    return value


def _rows(files: Mapping[str, NabFile]) -> tuple[Doubles, Doubles, npt.NDArray[np.int64]]:
    """Scores, weights and windows (numbered over the corpus) of all judged rows."""
    scores, gains, owners, number = [], [], [], 0
    for file in files.values():
        weights, own = row_weights(len(file.scores), file.windows)
        skipped = probation(len(file.scores))
        scores.append(file.scores[skipped:])
        gains.append(weights[skipped:])
        judged = np.unique(own[skipped:][own[skipped:] >= 0])
        renumbered = np.full(len(file.windows) + 1, -1)
        renumbered[judged] = number + np.arange(len(judged))
        owners.append(renumbered[own[skipped:]])
        number += len(judged)
    return np.concatenate(scores), np.concatenate(gains), np.concatenate(owners)


def _first_gains(gains: Doubles, owners: npt.NDArray[np.int64], windows: int) -> Doubles:
    """Score that each row adds as the threshold falls: the cost of a false alarm, or the gain within a window."""
    added = np.where(owners < 0, gains, 0.0)
    best = np.full(windows, -MISS)
    for row in np.flatnonzero(owners >= 0).tolist():
        gain, window = gains[row], owners[row]
        if gain > best[window]:
            added[row] = gain - best[window]
            best[window] = gain
    return added


def _file_score(file: NabFile, threshold: float) -> float:
    weights, owners = row_weights(len(file.scores), file.windows)
    skipped = probation(len(file.scores))
    weights, owners = weights[skipped:], owners[skipped:]
    raised = file.scores[skipped:] >= threshold
    total = float(weights[raised & (owners < 0)].sum())
    for window in np.unique(owners[owners >= 0]):
        inside = raised & (owners == window)
        total += float(weights[inside].max()) if inside.any() else -MISS
    return total
