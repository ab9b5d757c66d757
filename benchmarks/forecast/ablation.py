"""What each optional part of forecasting is worth: two simulated fleets, forecast with every part but one.

    python benchmarks/forecast/ablation.py [--quick] [--seeds 31 32] [--parts covariates siblings …]

The first table is of the night's forecast: it learns the first 70 % of a fleet with faults, on slots of 30 minutes, and
predicts a day from every second hour of the rest, each origin calibrated by what came of the earlier ones, as
``brownout evaluate forecast`` does. MASE and CRPS are ratios to seasonal-naive (geometric mean over metrics), coverage
is of the 80 % interval, Brier of the chance to cross a limit that busy hours reach (the 97 % quantile of a metric's
training part). Console latency has its own column, as the covariates are for it alone, and so have newcomers: every
fifth entity with six hours of past only. The second table is of the outlook, on slots of six hours. Differences are to
all parts; positive = the part is worth something. ``--quick`` takes smaller fleets and shorter trainings.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from breaches import busy

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.panel import Panel
from brownout.domain.ports import Forecaster
from brownout.evaluate.rolling_backtest import rolling_backtest
from brownout.evaluation.backtest import BacktestScores, actual_after, rolling_origins
from brownout.evaluation.breach_scores import BreachScores, Windows, windows_of
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.exceedance.chance_correction import base_rates
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.parts import ForecastParts, Part
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.panels import forecast_panel, outlook_panel
from brownout.settings import ForecastSettings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

TRAIN, BUSY = 0.7, 0.97
NEWCOMER_SLOTS = 12
OUTLOOK_STEPS = 40
OF_OUTLOOK = (Part.OUTLOOK, Part.TREND, Part.USUAL, Part.NAIVE, Part.SMOOTHING, Part.CALIBRATION)
OF_NIGHT = tuple(part for part in Part if part not in {Part.OUTLOOK, Part.TREND, Part.USUAL})


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the fleets are and how long the LSTM learns."""

    vms: int
    days: int
    outlook_days: int
    steps: int
    context: int
    every: int


SIZES = {
    True: Size(vms=8, days=9, outlook_days=40, steps=150, context=96, every=16),
    False: Size(vms=16, days=21, outlook_days=60, steps=400, context=336, every=8),
}


@dataclass
class Scores:
    """Losses of one run over all its fleets."""

    all: BacktestScores = field(default_factory=BacktestScores)
    latency: BacktestScores = field(default_factory=BacktestScores)
    newcomers: BacktestScores = field(default_factory=BacktestScores)
    breaches: BreachScores = field(default_factory=BreachScores)

    def row(self) -> list[float]:
        """MASE, CRPS, coverage, Brier, CRPS of console latency and of newcomers."""
        table = self.all.summary()["overall"]
        breaches = self.breaches.summary()["overall"]["brier"] if self.breaches.parts_ else float("nan")
        others = [scores.summary()["overall"]["crps"] for scores in (self.latency, self.newcomers)]
        return [table["mase"], table["crps"], table["coverage"], float(str(breaches)), *others]


@dataclass
class Fleet:
    """Panels of a fleet, when its training ends, and the LSTM, which most parts leave as it is."""

    panels: list[Panel]
    start: np.datetime64
    seed: int
    lstm: LstmForecaster | None = None

    @classmethod
    def of(cls, size: Size, seed: int) -> Self:
        """A fleet with limits that busy hours reach."""
        panels = simulated(size, seed, days=size.days, interval_s=300)
        start = split(panels)
        return cls(busy(panels, start, BUSY), start, seed)


def simulated(size: Size, seed: int, *, days: int, interval_s: int) -> list[Panel]:
    """Panels of a simulated fleet on the slots of the night's forecast."""
    shape = FleetSettings(
        hosts=max(size.vms // 6, 1), vms=size.vms, days=days, interval_s=interval_s, seed=seed, faults=days
    )
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(simulate(shape), Path(folder) / "fleet", name="fleet")
        store = Dataset.open(Path(folder) / "fleet")
        return [forecast_panel(shard.panel, ForecastSettings()) for shard in shards(store)]


def split(panels: Sequence[Panel]) -> np.datetime64:
    """Where training ends."""
    first, last = min(panel.start for panel in panels), max(panel.end for panel in panels)
    return first + np.timedelta64(round(TRAIN * float((last - first) / np.timedelta64(1, "s"))), "s")


def judge_night(fleet: Fleet, size: Size, parts: ForecastParts, scores: Scores) -> None:
    """Train on the first part of a fleet without some parts, and add the scores of the rest."""
    panels, start = fleet.panels, fleet.start
    early = [panel.between(panel.start, start) for panel in panels]
    settings = LstmSettings.quick(context=size.context, horizon=48, steps=size.steps, seed=fleet.seed)
    forecaster = SelectedForecaster(settings, parts=parts)
    fleet.lstm = fleet.lstm or forecaster.fit(early).lstm_
    forecaster = forecaster.fit_choice(fleet.lstm, early) if fleet.lstm else forecaster
    rates, horizon = base_rates(early, settings.horizon), settings.horizon
    origins = [rolling_origins(panel, start, horizon=horizon, stride=size.every) for panel in panels]
    windows: list[list[Windows]] = [[] for _ in panels]
    fleet_forecaster = FleetForecaster(forecaster, panels)
    for place, made, actual in rolling_backtest(fleet_forecaster, panels, origins, horizon, parts):
        panel = panels[place]
        slots = sorted({panel.slot(origin) for origin in made.origins})
        naive = SeasonalNaive().predict(ForecastRequest(panel, slots, horizon))
        scale = scales(panel, start)
        units = np.array([scale[series.entity, series.metric] for series in made.series])
        scores.all.add(made, naive, actual, units)
        if panel.entities[0].kind == "console":
            scores.latency.add(made, naive, actual, units)
        windows[place].append(windows_of(panel, made))
    for panel, parts_of_panel in zip(panels, windows, strict=True):
        scores.breaches.add(panel, parts_of_panel, rates)
    judge_newcomers(forecaster, panels, start, scores.newcomers)


def judge_newcomers(
    forecaster: SelectedForecaster, panels: Sequence[Panel], start: np.datetime64, scores: BacktestScores
) -> None:
    """Forecast every fifth entity from its last hours, with the others for siblings."""
    for panel in panels:
        slots, horizon = panel.values.shape[1], forecaster.settings.horizon
        new = list(range(0, len(panel.entities), 5))
        old = panel.select(entities=[row for row in range(len(panel.entities)) if row not in new])
        young, scale = panel.select(entities=new), scales(panel, start)
        for origin in np.linspace(panel.slot(start), slots - horizon - 1, 4).astype(int).tolist():
            values = young.values[:, : origin + 1].copy()
            values[:, : origin + 1 - NEWCOMER_SLOTS] = np.nan
            cut = replace(young, values=values)
            made = forecaster.predict(ForecastRequest(cut, (origin,), horizon, siblings=(old,)))
            naive = SeasonalNaive().predict(ForecastRequest(young, (origin,), horizon))
            place = {series: row for row, series in enumerate(naive.series)}
            units = np.array([scale[series.entity, series.metric] for series in made.series])
            naive = naive.rows([place[series] for series in made.series])
            scores.add(made, naive, actual_after(young, made), units)


def judge_outlook(panels: list[Panel], parts: ForecastParts, scores: Scores) -> None:
    """Learn the outlook on the first part of a fleet, and add the scores of the rest; without it seasonal-naive."""
    wide = [outlook_panel(panel, ForecastSettings()) for panel in panels]
    start = split(wide)
    outlook = Outlook(OUTLOOK_STEPS, parts).fit([panel.between(panel.start, start) for panel in wide])
    horizon = outlook.horizon_ or OUTLOOK_STEPS
    forecaster: Forecaster = outlook if outlook.horizon_ else SeasonalNaive()
    for panel in wide:
        slots = rolling_origins(panel, start, horizon=horizon, stride=4)
        request = ForecastRequest(panel, slots, horizon)
        made, naive = forecaster.predict(request), SeasonalNaive().predict(request)
        scale = scales(panel, start)
        units = np.array([scale[series.entity, series.metric] for series in made.series])
        scores.all.add(made, naive, actual_after(panel, made), units)


def scales(panel: Panel, start: np.datetime64) -> dict[tuple[str, str], float]:
    """Error of seasonal-naive before a time, by entity and metric."""
    table = seasonal_scale(panel, panel.slots_per_day, end=panel.slot(start))
    return {
        (entity, metric): float(table[row, column])
        for row, entity in enumerate(panel.entity_ids)
        for column, metric in enumerate(panel.metric_names)
    }


def compare(
    title: str, columns: Sequence[str], parts: Sequence[Part], judge: Callable[[ForecastParts], list[float]]
) -> None:
    """Print a Markdown table: all parts, then what changes without each."""
    say(f"\n{title}\n\n| without | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    whole = judge(ForecastParts())
    say(f"| nothing | {' | '.join(f'{figure:.4f}' for figure in whole)} |")
    for part in parts:
        row = judge(ForecastParts.without([part]))
        say(f"| {part} | {' | '.join(f'{figure - base:+.4f}' for figure, base in zip(row, whole, strict=True))} |")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Simulate, leave one part out after the other, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--parts", nargs="*", default=[part.value for part in Part])
    options = parser.parse_args()
    size, wanted = SIZES[options.quick], ForecastParts.without(options.parts).off
    fleets = [Fleet.of(size, seed) for seed in options.seeds]

    def night(parts: ForecastParts) -> list[float]:
        scores = Scores()
        for fleet in fleets:
            judge_night(fleet, size, parts, scores)
        return scores.row()

    wide = [simulated(size, seed, days=size.outlook_days, interval_s=1800) for seed in options.seeds]

    def outlook(parts: ForecastParts) -> list[float]:
        scores = Scores()
        for panels in wide:
            judge_outlook(panels, parts, scores)
        return scores.row()[:3]

    columns = ("MASE", "CRPS", "coverage", "Brier", "CRPS of console latency", "CRPS of newcomers")
    compare("A day ahead", columns, [part for part in OF_NIGHT if part in wanted], night)
    compare("Ten days ahead", columns[:3], [part for part in OF_OUTLOOK if part in wanted], outlook)


if __name__ == "__main__":
    main()
