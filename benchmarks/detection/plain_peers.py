"""Peers that need numpy and scikit-learn, or an optional package, alone.

Each scores ``[time, metric]``, standardised by the caller, having learned from what lies before a slot.
"""

from collections.abc import Callable, Mapping

import numpy as np
from labelled_sets import Values
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

__all__ = ["PLAIN_PEERS", "windows"]

WIDTH = 32
"""Samples in a window."""


def windows(values: Values, width: int) -> Values:
    """The last ``width`` samples of all metrics at each time."""
    padded = np.concatenate([np.repeat(values[:1], width - 1, axis=0), values])
    return sliding_window_view(padded, width, axis=0).reshape(len(values), -1)


def robust_z(values: Values, split: int) -> Values:
    """Largest robust z-score over metrics."""
    middle = np.median(values[:split], axis=0)
    spread = 1.4826 * np.median(np.abs(values[:split] - middle), axis=0)
    return np.abs((values - middle) / np.maximum(spread, 1e-3)).max(axis=1)


def plain_forest(values: Values, split: int) -> Values:
    """scikit-learn's isolation forest."""
    rows = windows(values, 10)
    forest = IsolationForest(random_state=0).fit(rows[:split])
    return np.concatenate([np.zeros(split), -forest.score_samples(rows[split:])])


def pyod_forest(values: Values, split: int) -> Values:
    """Pyod's isolation forest."""
    from pyod.models.iforest import IForest  # noqa: PLC0415 - a peer that need not be installed

    rows = windows(values, 10)
    model = IForest(random_state=0).fit(rows[:split])
    return np.concatenate([np.zeros(split), model.decision_function(rows[split:])])


def sub_pca(values: Values, split: int) -> Values:
    """Error of a PCA reconstruction that keeps 90 % of the variance."""
    rows = windows(values, WIDTH)
    model = PCA(0.9, random_state=0).fit(rows[:split])
    rest = rows - model.inverse_transform(model.transform(rows))
    return (rest**2).mean(axis=1)


def kmeans_ad(values: Values, split: int) -> Values:
    """Distance to the nearest of the centres of earlier windows."""
    rows = windows(values, WIDTH)
    model = KMeans(20, n_init=1, random_state=0).fit(rows[:split])
    return model.transform(rows).min(axis=1)


def matrix_profile(values: Values, _split: int) -> Values:
    """Distance to the nearest earlier window of the same shape, averaged over metrics."""
    import stumpy  # noqa: PLC0415 - a peer that need not be installed

    profiles = []
    for column in values.T:
        left = stumpy.stump(column + np.random.default_rng(0).normal(0, 1e-6, len(column)), WIDTH)[:, 2]
        near = sliding_window_view(column, WIDTH)
        near = (near - near.mean(axis=1, keepdims=True)) / np.maximum(near.std(axis=1, keepdims=True), 1e-6)
        distance = np.linalg.norm(near - near[np.maximum(left, 0).astype(int)], axis=1)
        profiles.append(np.concatenate([np.zeros(WIDTH - 1), np.where(left >= 0, distance, 0)]))
    return np.mean(profiles, axis=0)


PLAIN_PEERS: Mapping[str, tuple[str, Callable[[Values, int], Values]]] = {
    "robust z-score": ("numpy", robust_z),
    "isolation forest, windows of 10": ("sklearn", plain_forest),
    "pyod IForest, windows of 10": ("pyod", pyod_forest),
    "Sub-PCA, windows of 32": ("sklearn", sub_pca),
    "KMeansAD, 20 centres, windows of 32": ("sklearn", kmeans_ad),
    "left matrix profile, windows of 32": ("stumpy", matrix_profile),
}
"""Package and function of each."""
