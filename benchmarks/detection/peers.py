"""Detectors side by side on one dataset folder, scored point by point in one run: average precision, ROC-AUC, VUS-PR.

``python benchmarks/detection/peers.py ../shared/data/asd-dev`` prints a Markdown table. Needs a ``test_start``. Every
peer learns each entity from what lies before it: a robust z-score (median and deviation of the training part),
scikit-learn's isolation forest on windows of 10, a PCA reconstruction of windows of 32 (the idea of TSB-AD's Sub-PCA),
the distance of windows of 32 to the nearest of twenty centres (KMeansAD), pyod's IForest on the same windows as the
plain forest, and stumpy's left matrix profile, averaged over metrics; the last two where they are installed. brownout
stands there as it ships, without the residuals of the low-rank model, and learned from the other half of the entities
only. AP is the mean over entities as well as over all points together.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score

from brownout.detection.features.feature_table import FEATURES, Features, entity_features
from brownout.detection.forest.deduplication import deduplicated
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.training_set import TrainingSet
from brownout.domain.panel import Panel
from brownout.evaluate.evaluate_detect import evaluate_detect
from brownout.evaluation.detection_scores import point_scores
from brownout.evaluation.volume import volume_under_pr
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

Values = npt.NDArray[np.float64]
WARM = 576
"""First slots, whose past is too short to learn from."""


def windows(values: Values, width: int) -> Values:
    """The last ``width`` samples of all metrics at each time, standardised by the caller."""
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
    rows = windows(values, 32)
    model = PCA(0.9, random_state=0).fit(rows[:split])
    rest = rows - model.inverse_transform(model.transform(rows))
    return (rest**2).mean(axis=1)


def kmeans_ad(values: Values, split: int) -> Values:
    """Distance to the nearest of the centres of earlier windows."""
    rows = windows(values, 32)
    model = KMeans(20, n_init=3, random_state=0).fit(rows[:split])
    return model.transform(rows).min(axis=1)


def matrix_profile(values: Values, _split: int) -> Values:
    """Distance to the nearest earlier window of the same shape, averaged over metrics."""
    import stumpy  # noqa: PLC0415 - a peer that need not be installed

    width = 32
    profiles = []
    for column in values.T:
        left = stumpy.stump(column + np.random.default_rng(0).normal(0, 1e-6, len(column)), width)[:, 2]
        positions = np.arange(len(left))
        known = left >= 0
        near = sliding_window_view(column, width)
        near = (near - near.mean(axis=1, keepdims=True)) / np.maximum(near.std(axis=1, keepdims=True), 1e-6)
        distance = np.where(known, np.linalg.norm(near[positions] - near[np.maximum(left, 0).astype(int)], axis=1), 0)
        profiles.append(np.concatenate([np.zeros(width - 1), distance]))
    return np.mean(profiles, axis=0)


PEERS: dict[str, tuple[str, Callable[[Values, int], Values]]] = {
    "robust z-score": ("numpy", robust_z),
    "isolation forest, windows of 10": ("sklearn", plain_forest),
    "pyod IForest, windows of 10": ("pyod", pyod_forest),
    "PCA reconstruction, windows of 32": ("sklearn", sub_pca),
    "KMeansAD, 20 centres, windows of 32": ("sklearn", kmeans_ad),
    "left matrix profile, windows of 32": ("stumpy", matrix_profile),
}


def standardised(panel: Panel, row: int, split: int) -> Values:
    """Values of an entity, gaps filled with the last one, in deviations of the training part."""
    values = panel.values[row].astype(np.float64)
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values))[:, None], 0), axis=0)
    values = np.nan_to_num(np.take_along_axis(values, last, axis=0))
    result: Values = (values - values[:split].mean(axis=0)) / np.maximum(values[:split].std(axis=0), 1e-3)
    return result


def novelties(panel: Panel, features: Features, split: int, learned: Sequence[int]) -> Values:
    """Scores of all entities by a detector that learned some of them before the split."""
    detector = IsolationForestDetector()
    known = Features(features.rows[list(learned), WARM:split], features.deviations[list(learned), WARM:split])
    detector.learn({"": [TrainingSet(features=known, interval_s=panel.interval_s, monitored=WARM)]})
    found = detector.assess(features.between(split, features.rows.shape[1]), "", panel.interval_s)
    scores: Values = np.nan_to_num(deduplicated(found.novelties, split)).astype(np.float64)
    return scores


def without_low_rank(panel: Panel, features: Features, split: int) -> Values:
    """What the residuals are worth: the same with none."""
    rows = features.rows.copy()
    rows[..., FEATURES.index("low_rank")] *= 0
    return novelties(panel, Features(rows, features.deviations), split, range(len(panel.entities)))


def from_the_other_half(panel: Panel, features: Features, split: int) -> Values:
    """Every second entity by what the others taught, and the other way round."""
    entities = len(panel.entities)
    halves = range(0, entities, 2), range(1, entities, 2)
    scores = np.zeros((entities, features.rows.shape[1] - split))
    for learned, judged in (halves, halves[::-1]):
        scores[list(judged)] = novelties(panel, features, split, learned)[list(judged)]
    return scores


def main() -> None:
    """Print the table."""
    dataset = Dataset.open(Path(sys.argv[1]))
    panel = read_shard(dataset, plan_shards(dataset)[0]).panel
    if dataset.test_start is None:
        raise SystemExit("The data set states no test_start.")
    split = panel.slot(dataset.test_start)
    labels = np.zeros(panel.values.shape[:2], bool)
    for anomaly in dataset.anomalies:
        labels[panel.entity_ids.index(anomaly.entity), panel.slot(anomaly.start) : panel.slot(anomaly.end)] = True
    truth = labels[:, split:]
    print("| detector | AP | AP by entity | ROC-AUC | VUS-PR | seconds |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        evaluate_detect(dataset, Path(out))
        seconds = time.perf_counter() - started
        table = pq.read_table(Path(out) / "scores.parquet").to_pandas()
    own = np.stack([rows["score"].to_numpy() for _, rows in table.groupby("entity", observed=True)])
    show("brownout", own, truth, seconds)
    features = entity_features(panel)
    show("brownout, without the low-rank model", without_low_rank(panel, features, split), truth, 0)
    show("brownout, learned from the other half", from_the_other_half(panel, features, split), truth, 0)
    for name, (module, peer) in PEERS.items():
        if find_spec(module) is None:
            continue
        started = time.perf_counter()
        scores = [peer(standardised(panel, row, split), split)[split:] for row in range(len(panel.entities))]
        show(name, np.stack(scores), truth, time.perf_counter() - started)


def show(name: str, scores: Values, truth: npt.NDArray[np.bool_], seconds: float) -> None:
    """Print a row of the table; scores and truth are ``[entity, time]``, VUS-PR the mean over entities."""
    found = point_scores(scores.ravel().astype(np.float32), truth.ravel())
    volume = np.nanmean([volume_under_pr(row, labels) for row, labels in zip(scores, truth, strict=True)])
    mean = np.nanmean([average_precision_score(t, row) for row, t in zip(scores, truth, strict=True) if t.any()])
    figures = f"{found['average_precision']:.3f} | {mean:.3f} | {found['roc_auc']:.3f} | {volume:.3f}"
    print(f"| {name} | {figures} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
