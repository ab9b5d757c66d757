"""The outlook, weeks ahead, on a data set: skill by metric, and its chances to cross a limit beside what happened.

    brownout simulate FLEET --hosts 8 --vms 48 --days 75 --interval 1800 --faults 80 --seed 11
    python benchmarks/forecast/outlook.py FLEET [--learned 0.6]

Learns on the first part of the history and predicts from every day of the rest as far ahead as it could be tested.
Ratios are to day-seasonal naive; Brier scores are those of limits crossed within the horizon by series that are not
beyond them, beside always giving the share that crosses. Prints a Markdown table.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from brownout.domain.exceedance import PathModel, crossing, exceedance
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Worse
from brownout.domain.panel import Float, Panel
from brownout.evaluation.backtest import BacktestScores, actual_after
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, seasonal_scale
from brownout.forecasting.outlook import RISING, Outlook
from brownout.forecasting.series_rows import rows_of
from brownout.nightly.panels import forecast_panel, outlook_panel, outlook_steps
from brownout.numerics.losses import brier
from brownout.settings import Settings
from brownout.store.dataset import Dataset
from brownout.store.shards import shards


def events(panel: Panel, made: Forecasts, actual: Float) -> Iterator[tuple[str, float, bool]]:
    """Metric, chance and truth of each row that may cross a limit."""
    rows = rows_of(panel, sorted({panel.slot(origin) for origin in made.origins}))
    now = panel.values[rows.entities, rows.origins, rows.metrics]
    for column, metric in enumerate(panel.metrics):
        if metric.limit is None or metric.worse is Worse.NONE:
            continue
        side = 1 if metric.worse is Worse.UP else -1
        kept = np.flatnonzero((rows.metrics == column) & ~(side * now > side * metric.limit))
        chosen = made.rows(kept.tolist())
        chance = exceedance(chosen, np.full(len(kept), metric.limit, np.float32), upwards=np.full(len(kept), side > 0))
        hang = (made.persistence or ())[kept[0]] if len(kept) else 0.9
        likely = crossing(chance, PathModel(persistence=hang))
        crossed = (side * actual[kept] > side * metric.limit).any(axis=1)
        yield from zip([metric.name] * len(kept), likely.tolist(), crossed.tolist(), strict=True)


def judged(truth: Sequence[tuple[float, bool]]) -> list[float]:
    """Share that crossed, Brier score of the chances, and of always giving that share; NaN where none could cross."""
    if not truth:
        return [float("nan")] * 3
    chances, crossed = np.array([chance for chance, _ in truth]), np.array([crossed for _, crossed in truth])
    share = float(crossed.mean())
    return [share, brier(chances, crossed), share * (1 - share)]


def main() -> None:
    """Learn, predict, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--learned", type=float, default=0.6)
    options, settings = parser.parse_args(), Settings().forecast
    panels = [forecast_panel(shard.panel, settings) for shard in shards(Dataset.open(options.dataset))]
    panels = [outlook_panel(panel, settings) for panel in panels]
    cuts = [int(panel.values.shape[1] * options.learned) for panel in panels]
    both = list(zip(panels, cuts, strict=True))
    early = [panel.between(panel.start, panel.start + cut * panel.step) for panel, cut in both]
    outlook = Outlook(outlook_steps(settings)).fit(early)
    ours, naive, found = BacktestScores(), BacktestScores(), []
    steps = outlook.horizon_ or 1
    for panel, cut in both:
        origins = list(range(cut - 1, panel.values.shape[1] - steps, panel.slots_per_day))
        request = ForecastRequest(panel, origins, steps)
        made, base = outlook.predict(request), SeasonalNaive().predict(request)
        rows, actual = rows_of(panel, origins), actual_after(panel, made)
        scale = seasonal_scale(panel, panel.slots_per_day, end=cut)[rows.entities, rows.metrics]
        ours.add(made, base, actual, scale)
        naive.add(Naive().predict(request), base, actual, scale)
        found += list(events(panel, made, actual))
    days = steps * settings.outlook_step_minutes / 1440
    head = ("metric", "maker", "where it rises or falls", "CRPS", "naive's", "coverage", "windows")
    head += ("crossed", "Brier", "base")
    lines = [head, ("---",) * len(head)]
    theirs = naive.summary()
    for name, scores in ours.summary().items():
        makers = [outlook.makers_.get(name + end, "") for end in ("", RISING)]
        figures = [scores["crps"], theirs[name]["crps"], scores["coverage"], scores["windows"]]
        figures += judged([(chance, crossed) for metric, chance, crossed in found if metric == name])
        lines.append((name, *makers, *(f"{figure:.3g}" for figure in figures)))
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    sys.stdout.write(f"{days:g} days ahead\n\n{table}")


if __name__ == "__main__":
    main()
