"""GIFT-Eval's protocol for `bitbrains_rnd/5T/short`, on the guests of a data set at 5 minutes.

    python benchmarks/forecast/gift.py DATASET [--metrics cpu_pct] [--every 1] [--days 30] [--steps 2000]
        [--python PYTHON_OF_THE_PEERS --peers fracast]

The first month (GIFT-Eval has July), of it the last 18 windows of 48 steps, one after the other; the forecaster learns
what lies before the first of them and never sees the rest. MWQL is the mean over the nine deciles of twice the quantile
loss of all values over the sum of their sizes; MASE the mean over windows of the mean absolute error of the median in
units of the window's own past error of day-seasonal naive. Both as GluonTS computes them for GIFT-Eval (Aksu et al.
2024): gaps do not count, nor windows whose past error is 0. GIFT-Eval has 500 guests with MHz and per cent of CPU: the
MHz are made where `entities.csv` says the capacity of the CPUs. A data set has what guests it has, so figures stand
beside published ones only where the series are the same. Peers are those of `peers.py`.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from run import filled, peer

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.metrics import Metric
from brownout.domain.panel import Float, Panel
from brownout.evaluation.backtest import actual_after
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.series_rows import rows_of
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

WINDOWS, HORIZON = 18, 48


def panels_of(dataset: Path, metrics: list[str], every: int, days: float) -> list[Panel]:
    """The first days of every so-and-so-many-th entity of each shard, with the metrics named, and MHz where known."""
    found = [shard.panel for shard in shards(Dataset.open(dataset))]
    found = [p.select(metrics=[p.metric_names.index(m) for m in metrics if m in p.metric_names]) for p in found]
    found = [panel.select(entities=list(range(0, len(panel.entities), every))) for panel in found if panel.metrics]
    capacity = _capacity_mhz(dataset)
    return [_with_mhz(p.between(p.start, p.start + round(days * p.slots_per_day) * p.step), capacity) for p in found]


def _capacity_mhz(dataset: Path) -> dict[str, float]:
    """MHz of all CPUs of each entity, of those whose capacity is known."""
    if not (dataset / "entities.csv").exists():
        return {}
    table = pd.read_csv(dataset / "entities.csv")
    if "cpu_capacity_mhz" not in table.columns:
        return {}
    return dict(zip(table["entity"].astype(str), table["cpu_capacity_mhz"].astype(float), strict=True))


def _with_mhz(panel: Panel, capacity: dict[str, float]) -> Panel:
    """The panel with the MHz beside the per cent of the CPUs."""
    if "cpu_pct" not in panel.metric_names or not capacity:
        return panel
    whole = np.array([capacity.get(name, np.nan) for name in panel.entity_ids], np.float32)
    mhz = panel.values[..., panel.metric_names.index("cpu_pct")] * whole[:, None] / 100
    metrics = (*panel.metrics, Metric(name="cpu_mhz", lower=0))
    return replace(panel, values=np.concatenate([panel.values, mhz[..., None]], axis=2), metrics=metrics)


def origins_of(panel: Panel) -> list[int]:
    """Last slots seen by the windows."""
    slots = panel.values.shape[1]
    return [slots - HORIZON * back - 1 for back in range(WINDOWS, 0, -1)]


def scores(panel: Panel, made: Forecasts) -> np.ndarray:
    """Rows of MWQL's loss by decile, size of the values, and MASE of each window, NaN where there is none."""
    actual = actual_after(panel, made).astype(np.float64)
    seen = np.isfinite(actual)
    away = np.where(seen, actual, 0)[..., None] - np.where(seen[..., None], made.values, 0)
    loss = 2 * np.maximum(np.array(QUANTILES) * away, (np.array(QUANTILES) - 1) * away).sum(axis=1)
    size = np.abs(np.where(seen, actual, 0)).sum(axis=1)
    missed = np.abs(away[..., QUANTILES.index(0.5)]).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    unit = _past_errors(panel, made)
    mase = np.divide(missed, unit, out=np.full(len(missed), np.nan), where=(unit > 0) & seen.any(axis=1))
    return np.column_stack([loss, size, mase])


def _past_errors(panel: Panel, made: Forecasts) -> Float:
    """Mean absolute change from a day to the next in all that lies before each window."""
    rows = rows_of(panel, [panel.slot(time) for time in np.unique(made.origins)])
    season = panel.slots_per_day
    change = np.abs(panel.values[:, season:] - panel.values[:, :-season])
    known = np.isfinite(change)
    total = np.cumsum(np.where(known, change, 0), axis=1, dtype=np.float64)
    count = np.cumsum(known, axis=1)
    ends = rows.origins - season
    place = rows.entities, ends, rows.metrics
    errors: Float = total[place] / np.maximum(count[place], 1)
    return errors


def line(name: str, found: list[tuple[Panel, Forecasts]]) -> str:
    """A row of the table."""
    table = np.concatenate([scores(panel, made) for panel, made in found])
    mwql = (table[:, : len(QUANTILES)].sum(axis=0) / table[:, -2].sum()).mean()
    return f"| {name} | {mwql:.3f} | {np.nanmean(table[:, -1]):.3f} |"


def by_peer(python: str, name: str, panels: list[Panel]) -> list[tuple[Panel, Forecasts]]:
    """Forecasts of a peer, which sees the values before each gap in its place."""
    found = []
    for panel in panels:
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "values.npy", filled(panel))
            task = {"origins": origins_of(panel), "horizon": HORIZON, "seconds": 0}
            (Path(folder) / "task.json").write_text(json.dumps(task))
            found.append((panel, peer(Path(folder), python, name, panel, origins_of(panel))[0]))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--metrics", nargs="+", default=["cpu_pct"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--peers", nargs="*", default=[])
    options = parser.parse_args()
    panels = panels_of(options.dataset, options.metrics, options.every, options.days)
    early = [p.between(p.start, p.start + (origins_of(p)[0] + 1) * p.step) for p in panels]
    settings = replace(LstmSettings(horizon=HORIZON), steps=options.steps)
    ours = SelectedForecaster(settings).fit(early)
    names = ", ".join(dict.fromkeys(name for panel in panels for name in panel.metric_names))
    print(f"{sum(len(p.entities) for p in panels)} guests, {names}, {WINDOWS} windows\n")
    print("| forecaster | MWQL | MASE |\n|---|---|---|")
    for name, maker in (("brownout", ours), *((m.name, m) for m in (SeasonalNaive(), Naive(), MedianLevel()))):
        made = [(p, maker.predict(ForecastRequest(p, [origin], HORIZON))) for p in panels for origin in origins_of(p)]
        print(line(name, made), flush=True)
    for name in options.peers:
        print(line(name, by_peer(options.python, name, panels)), flush=True)


if __name__ == "__main__":
    main()
