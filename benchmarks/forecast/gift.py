"""GIFT-Eval's protocol for `bitbrains_rnd/5T/short`, on the guests of a data set at 5 minutes.

    python benchmarks/forecast/gift.py DATASET [--metrics cpu_pct] [--every 1] [--steps 2000]

The last 18 windows of 48 steps, one after the other; the forecaster learns what lies before the first of them and never
sees the rest. MWQL is the mean over the nine deciles of twice the quantile loss of all values over the sum of their
sizes; MASE the mean over windows of the mean absolute error of the median in units of the window's own past error of
day-seasonal naive. Both as GluonTS computes them for GIFT-Eval (Aksu et al. 2024): gaps do not count, nor windows whose
past error is 0. GIFT-Eval has 500 guests with MHz and per cent of CPU; a data set has what it has, so figures stand
beside published ones only where the series are the same.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
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


def panels_of(dataset: Path, metrics: list[str], every: int) -> list[Panel]:
    """Every so-and-so-many-th entity of each shard, with the metrics named."""
    found = [shard.panel for shard in shards(Dataset.open(dataset))]
    found = [p.select(metrics=[p.metric_names.index(m) for m in metrics if m in p.metric_names]) for p in found]
    return [panel.select(entities=list(range(0, len(panel.entities), every))) for panel in found if panel.metrics]


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--metrics", nargs="+", default=["cpu_pct"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    panels = panels_of(options.dataset, options.metrics, options.every)
    early = [p.between(p.start, p.start + (origins_of(p)[0] + 1) * p.step) for p in panels]
    settings = replace(LstmSettings(horizon=HORIZON), steps=options.steps)
    ours = SelectedForecaster(settings).fit(early)
    print(f"{sum(len(p.entities) for p in panels)} guests, {', '.join(options.metrics)}, {WINDOWS} windows\n")
    print("| forecaster | MWQL | MASE |\n|---|---|---|")
    for name, maker in (("brownout", ours), *((m.name, m) for m in (SeasonalNaive(), Naive(), MedianLevel()))):
        rows = [
            scores(p, maker.predict(ForecastRequest(p, [origin], HORIZON))) for p in panels for origin in origins_of(p)
        ]
        table = np.concatenate(rows)
        mwql = (table[:, : len(QUANTILES)].sum(axis=0) / table[:, -2].sum()).mean()
        print(f"| {name} | {mwql:.3f} | {np.nanmean(table[:, -1]):.3f} |", flush=True)


if __name__ == "__main__":
    main()
