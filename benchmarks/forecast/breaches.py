"""Warnings of breaches on simulated fleets: Brier score, reliability, lead time, false warnings, and console latency.

    python benchmarks/forecast/breaches.py [--seeds 31 32] [--days 16] [--steps 300] [--every 4] [--busy 0.97]

For each seed a fleet with faults is simulated, the forecaster of the night learns its first 70 %, and forecasts a day
from every second hour of the rest. Beside it stand climatology as known (the share of training windows that cross) and
as it turned out (that of the very windows that are judged, which nobody knew), the chances without their correction,
and the forecasts of console latency without those of load. The catalogue's limits are crossed by injected faults, which
come out of the blue; with ``--busy`` each metric's limit is that quantile of its values in the training part instead,
which busy hours reach.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Worse
from brownout.domain.panel import Panel
from brownout.evaluation.backtest import actual_after
from brownout.evaluation.breach_scores import BreachScores, windows_of
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.exceedance.chance_correction import base_rates
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.panels import forecast_panel
from brownout.numerics.losses import path_losses, skill_ratio
from brownout.settings import ForecastSettings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

TRAIN = 0.7
LATENCIES = ("console_connect_ms", "console_mainloop_ms", "console_update_ms", "console_echo_ms")


def fleet(options: argparse.Namespace, seed: int) -> list[Panel]:
    """Panels of a simulated fleet on the slots of the night's forecast."""
    shape = FleetSettings(
        hosts=options.hosts, vms=6 * options.hosts, days=options.days, interval_s=60, seed=seed, faults=options.faults
    )
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(simulate(shape), Path(folder) / "fleet", name="fleet")
        store = Dataset.open(Path(folder) / "fleet")
        return [forecast_panel(shard.panel, ForecastSettings()) for shard in shards(store)]


def busy(panels: list[Panel], start: np.datetime64, share: float) -> list[Panel]:
    """The panels with limits that busy hours reach: a quantile over all entities of what lies before ``start``."""
    found = []
    for panel in panels:
        early = panel.between(panel.start, start).values
        levels = np.nanquantile(early, (1 - share, share), axis=(0, 1))
        metrics = tuple(
            replace(metric, limit=float(levels[int(metric.worse is Worse.UP), column]))
            for column, metric in enumerate(panel.metrics)
        )
        found.append(replace(panel, metrics=metrics))
    return found


def trained(panels: list[Panel], start: np.datetime64, options: argparse.Namespace, seed: int) -> SelectedForecaster:
    """The forecaster of a night that ends at ``start``."""
    settings = ForecastSettings()
    shape = LstmSettings.quick(
        context=round(settings.context_days * 1440 / settings.step_minutes),
        horizon=settings.steps,
        steps=options.steps,
        seed=seed,
    )
    return SelectedForecaster(shape).fit([panel.between(panel.start, start) for panel in panels])


class Latency:
    """Losses of console latency with and without the forecasts of load, by metric."""

    def __init__(self) -> None:
        self.parts: dict[str, list[np.ndarray]] = {}

    def add(self, panel: Panel, made: tuple[Forecasts, Forecasts], slots: list[int], start: int) -> None:
        """Add windows: forecasts with the loads and without."""
        season = panel.slots_per_day
        naive = SeasonalNaive(season).predict(ForecastRequest(panel, slots, made[0].horizon))
        actual = actual_after(panel, made[0])
        scales = seasonal_scale(panel, season, end=start)
        entity = {name: place for place, name in enumerate(panel.entity_ids)}
        metric = {name: place for place, name in enumerate(panel.metric_names)}
        scale = np.array([scales[entity[s.entity], metric[s.metric]] for s in made[0].series])
        losses = [path_losses(forecasts.values, actual) for forecasts in (*made, naive)]
        table = np.stack([*(loss.quantile for loss in losses), losses[0].inside, losses[0].count, scale], 1)
        names = np.array([series.metric for series in made[0].series])
        for name in LATENCIES:
            if (names == name).any():
                self.parts.setdefault(name, []).append(table[names == name])

    def show(self) -> None:
        """Print the ratios."""
        print("\nconsole latency: CRPS over seasonal-naive's, with the forecasts of load and without; coverage of 80 %")
        for name, parts in self.parts.items():
            ours, without, naive, inside, count, scale = np.concatenate(parts).T
            pair = [skill_ratio(loss, naive, count, scale) for loss in (ours, without)]
            print(f"  {name:22s} {pair[0]:.3f} {pair[1]:.3f}   {inside.sum() / count.sum():.3f}")


def judge(options: argparse.Namespace, seed: int, scores: tuple[BreachScores, BreachScores], latency: Latency) -> None:
    """Simulate, train, and add the scores of what was kept back."""
    panels = fleet(options, seed)
    first, last = min(panel.start for panel in panels), max(panel.end for panel in panels)
    start = first + np.timedelta64(round(TRAIN * float((last - first) / np.timedelta64(1, "s"))), "s")
    panels = panels if options.busy is None else busy(panels, start, options.busy)
    forecaster = trained(panels, start, options, seed)
    names = ", ".join(f"{k} {v}" for k, v in forecaster.makers_.items() if k in LATENCIES)
    print(f"seed {seed}: {len(Topology.of(e for p in panels for e in p.entities))} entities; {names}", flush=True)
    horizon = forecaster.settings.horizon
    rates = base_rates([panel.between(panel.start, start) for panel in panels], horizon)
    for panel in panels:
        slots = list(range(panel.slot(start) - 1, panel.values.shape[1] - horizon, options.every))
        alone = ForecastRequest(panel, slots, horizon)
        ahead = forecaster.covariates_ahead(panel, slots, panels, horizon)
        made = forecaster.predict(replace(alone, covariates=ahead))
        scores[0].add(panel, [windows_of(panel, made)], rates)
        scores[1].add(panel, [windows_of(panel, replace(made, odds=None))], rates)
        if panel.entities[0].kind == "console":
            latency.add(panel, (made, forecaster.predict(alone)), slots, panel.slot(start))


def show(scores: BreachScores, title: str) -> None:
    """Print the scores of metrics whose limit was crossed."""
    print(f"\n{title}")
    print(
        f"{'metric':26s} windows crossed  Brier  known  clim.  skill "
        "warnings  false breaches warned >=1 h before  lead h"
    )
    for name, row in scores.summary().items():
        if row["crossed"]:
            print(
                f"{name:26s} {row['windows']:7d} {row['crossed']:7d} {row['brier']:6.3f} "
                f"{row['brier_known']:6.3f} {row['brier_climatology']:6.3f} "
                f"{row['brier_skill']:6.2f} {row['warnings']:8d} {row['false_warnings']:6.2f} {row['breaches']:8d} "
                f"{row['warned_of']:6.2f} {row['warned_an_hour_before']:12.2f} {row['median_lead_h']:7.1f}"
            )
    print("reliability: said, came, windows")
    for count, said, came in scores.summary()["overall"]["reliability"]:
        if count:
            print(f"  {said / count:5.2f} {came / count:5.2f} {count:6.0f}")


def main() -> None:
    """Read the options and go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--days", type=float, default=16)
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=4, help="slots of 30 minutes between origins")
    parser.add_argument("--busy", type=float, default=None, help="quantile of the training part that limits are")
    options = parser.parse_args()
    scores, latency = (BreachScores(), BreachScores()), Latency()
    for seed in options.seeds:
        judge(options, seed, scores, latency)
    show(scores[0], "chances as reported")
    show(scores[1], "chances without the correction")
    latency.show()


if __name__ == "__main__":
    sys.exit(main())
