"""Do forecast residuals make detection better? The same forest with and without them.

``python benchmarks/detection/residuals.py DATASET [--ahead 48] [--steps 250]``: the night's forecaster learns from the
first part, then forecasts the rest, ``--ahead`` slots at a time, from what lies before alone. A residual is what a
quarter of an hour lies beyond the forecast's median, in units of the forecast's own spread; over the metrics of an
entity it is reduced to the five figures that every view is. The forests learn from what lies before the test; a line of
JSON for each.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.features.feature_table import entity_features
from brownout.detection.forest.detector import WEIGHTS
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.panel import Float, Panel
from brownout.evaluation.detection_scores import runs
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.panels import forecast_panel
from brownout.numerics.rolling import rolling_mean
from brownout.settings import ForecastSettings
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

FORECAST_SHARE, TEST_SHARE = 0.36, 0.57
"""Shares of the time axis after which the forecaster has learned, and the forests; with a ``test_start`` half and all
of what lies before it."""
ORIGINS = 24
LEAST_SPREAD = 0.015
"""Least spread of a forecast, as a share of how far the series ranges."""
BUDGET = 0.1
"""False alarms an entity and day at which events are counted."""
WEIGHT = 0.1


@dataclass(frozen=True)
class Part:
    """Features of a panel without and with residuals, its labels, and the slots where learning and testing begin."""

    kind: str
    rows: Float
    residuals: Float
    labels: np.ndarray
    learned: int
    tested: int
    days: float


def main() -> None:
    """Print what each forest reaches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--ahead", type=int, default=48)
    parser.add_argument("--steps", type=int, default=250)
    given = parser.parse_args()
    parts = list(read(Dataset.open(given.dataset), given.ahead, given.steps))
    for name, more, weight in (("without", False, 0.0), ("in the forest", True, 0.0), ("and added", True, WEIGHT)):
        print(
            json.dumps({"dataset": str(given.dataset), "residuals": name, **judge(parts, weight, more=more)}),
            flush=True,
        )


def read(dataset: Dataset, ahead: int, steps: int) -> Iterator[Part]:
    """Features of all panels, with the residuals of a forecaster that has seen the first part."""
    panels = [read_shard(dataset, plan).panel for plan in plan_shards(dataset)]
    start, end = min(panel.start for panel in panels), max(panel.end for panel in panels)
    learned, tested = (start + (end - start) * share for share in (FORECAST_SHARE, TEST_SHARE))
    if dataset.test_start is not None:
        learned, tested = start + (dataset.test_start - start) * 0.5, dataset.test_start
    coarse = [forecast_panel(panel, ForecastSettings()) for panel in panels]
    forecaster = SelectedForecaster(LstmSettings.quick(steps=steps))
    forecaster.fit([panel.between(panel.start, learned) for panel in coarse])
    for panel, wide in zip(panels, coarse, strict=True):
        deviations = residuals(panel, wide, forecaster, wide.slot(learned), ahead)
        labels = np.zeros(panel.values.shape[:2], bool)
        for anomaly in dataset.anomalies:
            if anomaly.entity in panel.entity_ids:
                span = slice(max(panel.slot(anomaly.start), 0), max(panel.slot(anomaly.end), 0))
                labels[panel.entity_ids.index(anomaly.entity), span] = True
        yield Part(
            kind=panel.entities[0].kind,
            rows=entity_features(panel).rows,
            residuals=reduce(np.abs(deviations)),
            labels=labels,
            learned=panel.slot(learned),
            tested=panel.slot(tested),
            days=float((panel.end - tested) / np.timedelta64(86_400_000, "ms")) * len(panel.entities),
        )


def residuals(panel: Panel, wide: Panel, forecaster: SelectedForecaster, first: int, ahead: int) -> Float:
    """Residuals ``[entity, time, metric of the forecast]``, 0 where nothing was forecast."""
    middle, spread = (np.full(wide.values.shape, np.nan, np.float32) for _ in range(2))
    origins = list(range(first, wide.values.shape[1] - 1, ahead))
    for number in range(0, len(origins), ORIGINS):
        made = forecaster.predict(ForecastRequest(wide, origins[number : number + ORIGINS], max(ahead, 2)))
        entities = np.array([wide.entity_ids.index(series.entity) for series in made.series])
        metrics = np.array([wide.metric_names.index(series.metric) for series in made.series])
        slots = ((made.origins - wide.start) / wide.step).astype(int)
        for step in range(ahead):
            inside = slots + step + 1 < wide.values.shape[1]
            place = entities[inside], slots[inside] + step + 1, metrics[inside]
            middle[place] = made.values[inside, step, 4]
            spread[place] = (made.values[inside, step, 8] - made.values[inside, step, 0]) / 2.563
    known = wide.values[:, :first]
    ranged = np.nanquantile(known, 0.95, axis=1) - np.nanquantile(known, 0.05, axis=1)
    spread = np.fmax(spread, np.fmax(LEAST_SPREAD * ranged, 1e-6)[:, None])
    own = [panel.metric_names.index(name) for name in wide.metric_names]
    values = rolling_mean(panel.values[..., own], max(900 // panel.interval_s, 3))
    cell = np.minimum(((panel.times - wide.start) / wide.step).astype(int), wide.values.shape[1] - 1)
    return np.nan_to_num((values - middle[:, cell]) / spread[:, cell])


def reduce(sizes: Float) -> Float:
    """The largest, the third, a quarter's, half's and the mean square over metrics, as logarithms."""
    ordered = np.sort(sizes, axis=-1)[..., ::-1]
    count = ordered.shape[-1]
    places = [0, min(2, count - 1), (count - 1) // 4, (count - 1) // 2]
    power = (np.minimum(ordered, 10) ** 2).mean(axis=-1, keepdims=True)
    return np.log1p(np.concatenate([ordered[..., places], power], axis=-1)).astype(np.float32)


def judge(parts: list[Part], weight: float, *, more: bool) -> dict[str, float]:
    """Average precision and ROC-AUC of surprises, and events that levels see at a budget of false alarms."""
    settings, labels, surprises, levels = DetectorSettings(), [], [], []
    for kind in {part.kind for part in parts}:
        own = [part for part in parts if part.kind == kind]
        tables = [np.concatenate([part.rows, part.residuals], axis=-1) if more else part.rows for part in own]
        seen = [
            table[:, p.learned : p.tested].reshape(-1, table.shape[-1]) for table, p in zip(tables, own, strict=True)
        ]
        rows = np.concatenate([table[np.isfinite(table).all(axis=1)] for table in seen])
        rows = rows[np.random.default_rng(0).permutation(len(rows))[: settings.rows]]
        forest = IsolationForest(
            n_estimators=settings.trees, max_samples=min(settings.samples, len(rows)), random_state=0
        ).fit(rows)
        for table, part in zip(tables, own, strict=True):
            raw = np.nan_to_num(scored(forest, table[:, part.tested :], part.residuals[:, part.tested :, 0] * weight))
            centre = np.median(raw.reshape(2, -1), axis=1)[:, None, None]
            surprises.append(raw[1] - centre[1])
            levels.append(raw[0] - centre[0])
            labels.append(part.labels[:, part.tested :])
    flat, truth = (np.concatenate([one.ravel() for one in many]) for many in (surprises, labels))
    return {
        "average_precision": round(float(average_precision_score(truth, flat)), 4),
        "roc_auc": round(float(roc_auc_score(truth, flat)), 4),
        "events_seen": round(within_budget(levels, labels, sum(part.days for part in parts)), 4),
    }


def scored(forest: IsolationForest, rows: Float, added: Float) -> Float:
    """Levels and surprises ``[2, entity, time]``; NaN where nothing was measured."""
    flat = rows.reshape(-1, rows.shape[-1])
    known = np.isfinite(flat).all(axis=1)
    found = np.full((2, len(flat)), np.nan, np.float32)
    found[:, known] = WEIGHTS @ flat[known, : WEIGHTS.shape[1]].T - forest.score_samples(flat[known])
    return found.reshape(2, *rows.shape[:2]) + added


def within_budget(levels: list[Float], labels: list[np.ndarray], days: float) -> float:
    """Share of events that some slot of sees, at the lowest line with no more false runs than the budget allows."""
    every = np.concatenate([one.ravel() for one in levels])
    share = 0.0
    for line in np.quantile(every, 1 - np.geomspace(1e-5, 0.05, 40)):
        false = seen = wanted = 0
        for level, label in zip(levels, labels, strict=True):
            for row, truth in zip(level >= line, label, strict=True):
                events = runs(truth)
                wanted += len(events)
                seen += sum(bool(row[first:last].any()) for first, last in events)
                false += sum(not truth[first:last].any() for first, last in runs(row))
        if false > BUDGET * days:
            break
        share = seen / max(wanted, 1)
    return share


if __name__ == "__main__":
    main()
