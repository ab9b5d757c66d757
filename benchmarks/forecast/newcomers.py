"""Entities with hours of past: forecast with and without their peers.

    python benchmarks/forecast/newcomers.py DATASET [--night] [--every 1] [--most 32] [--steps 400] [--model FOLDER]

The forecaster learns every other entity of the first 70 %; the others, which it has never seen, are newcomers: of their
past only the last half hour, 2, 6 or 24 hours are left before each of six origins in the rest. ``--night`` takes slots
of 30 minutes and the metrics that have a limit, a day ahead, as a night does; else slots are those of the data, four
hours ahead. Ratios are to seasonal-naive that knows the whole past; beside both stands our own forecast that knows it.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel
from brownout.evaluation.backtest import BacktestScores, actual_after
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.cold_start.newcomer_forecasts import AGES_H, ColdStart
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.panels import forecast_panel
from brownout.settings import ForecastSettings
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

TRAIN, ORIGINS = 0.7, 6


def fleet(options: argparse.Namespace) -> list[Panel]:
    """Panels of the data, with every so-and-so-many-th entity."""
    panels = [shard.panel for shard in shards(Dataset.open(options.dataset))]
    if options.night:
        panels = [forecast_panel(panel, ForecastSettings()) for panel in panels]
    longest = max(panel.values.shape[1] for panel in panels)
    whole = [panel for panel in panels if panel.values.shape[1] == longest]
    return [panel.select(entities=range(0, len(panel.entities), options.every)) for panel in whole]


def settings_of(options: argparse.Namespace) -> LstmSettings:
    """The network of a night, or the one of ``brownout evaluate forecast``."""
    if options.night:
        return LstmSettings.quick(context=336, horizon=48, steps=options.steps)
    return LstmSettings(horizon=48, steps=options.steps)


def cut(panel: Panel, origin: int, slots: int) -> Panel:
    """The panel up to a slot, with nothing before the last so many."""
    values = panel.values[:, : origin + 1].copy()
    values[:, : origin + 1 - slots] = np.nan
    return replace(panel, values=values)


def judge(scores: BacktestScores, panel: Panel, made: Forecasts, origin: int, scale: np.ndarray) -> None:
    """Add forecasts of a cut panel beside seasonal-naive of the whole one."""
    naive = SeasonalNaive().predict(ForecastRequest(panel, [origin], made.horizon))
    place = {series: row for row, series in enumerate(naive.series)}
    entity = {name: row for row, name in enumerate(panel.entity_ids)}
    metric = {name: column for column, name in enumerate(panel.metric_names)}
    units = np.array([scale[entity[s.entity], metric[s.metric]] for s in made.series])
    scores.add(made, naive.rows([place[series] for series in made.series]), actual_after(panel, made), units)


def compare(
    forecaster: SelectedForecaster, new: Panel, old: Sequence[Panel], scores: dict[str, BacktestScores]
) -> None:
    """Forecast newcomers of each age, with and without peers, and with their whole past."""
    slots = new.values.shape[1]
    start, horizon = int(TRAIN * slots), forecaster.settings.horizon
    alone = replace(forecaster, cold_=ColdStart())
    scale = seasonal_scale(new, new.slots_per_day, end=start)
    for origin in np.linspace(start, slots - horizon - 1, ORIGINS).astype(int).tolist():
        judge(scores["whole past"], new, alone.predict(ForecastRequest(new, [origin], horizon)), origin, scale)
        for hours in AGES_H:
            young = cut(new, origin, max(round(hours * 3600 / new.interval_s), 1))
            made = alone.predict(ForecastRequest(young, [origin], horizon))
            judge(scores[f"{hours:g} h, alone"], new, made, origin, scale)
            made = forecaster.predict(ForecastRequest(young, [origin], horizon, siblings=tuple(old)))
            judge(scores[f"{hours:g} h, with peers"], new, made, origin, scale)


def main() -> None:
    """Learn, cut, compare; prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--night", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--most", type=int, default=32, help="newcomers of a shard")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--model", type=Path, default=None, help="a stored forecaster that learned the same part")
    options = parser.parse_args()
    panels = fleet(options)
    old = [panel.select(entities=range(0, len(panel.entities), 2)) for panel in panels]
    new = [panel.select(entities=range(1, len(panel.entities), 2)[: options.most]) for panel in panels]
    early = [panel.between(panel.start, panel.start + int(TRAIN * panel.values.shape[1]) * panel.step) for panel in old]
    stored = options.model and SelectedForecaster.load(options.model)
    forecaster = stored or SelectedForecaster(settings_of(options)).fit(early)
    names = [f"{hours:g} h, {how}" for hours in AGES_H for how in ("alone", "with peers")]
    scores = {name: BacktestScores() for name in (*names, "whole past")}
    for panel in new:
        if panel.entities:
            compare(forecaster, panel, old, scores)
    sys.stdout.write("| past | MASE | CRPS | coverage 50 | 80 | 90 | windows |\n|---|---|---|---|---|---|---|\n")
    for name, part in scores.items():
        row = part.summary()["overall"]
        figures = [row[key] for key in ("mase", "crps", "coverage_50", "coverage", "coverage_90")]
        sys.stdout.write(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {row['windows']} |\n")
    shares = {metric: row for metric, row in forecaster.cold_.shares.items() if any(row)}
    sys.stdout.write(f"\nshares of the peers: {shares}\n")


if __name__ == "__main__":
    main()
