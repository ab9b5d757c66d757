"""Our forecaster beside its peers: same series, same origins, same training time for every network.

    python benchmarks/forecast/run.py DATASET PYTHON_OF_THE_PEERS [--every 8] [--seconds 300] [--stride 336]
    python benchmarks/forecast/run.py SIMULATED PYTHON_OF_THE_PEERS --kind console --metrics console_echo_ms

The peers live in an environment of their own that has ``requirements.txt`` beside this file, since statsforecast and
neuralforecast want an older pandas than brownout. Every ``--every``-th entity (of ``--kind``) that was measured
throughout is taken, with all metrics or those named. A case runs in a process of its own; ``--seconds`` are processor
seconds of each network's training, so that other work on the machine takes nothing from it. Prints a Markdown table;
ratios are to day-seasonal naive, as geometric mean over the metrics, with the difference from ours and its standard
error over the entities.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from bootstrap import Sums, deviations, sums

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.evaluation.backtest import BacktestScores, actual_after
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive, seasonal_scale
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.series_rows import clip_to_bounds, rows_of
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

HERE = Path(__file__).parent
HORIZON = 48
TEST_SHARE = 0.2
PEERS = ("LSTM", "DeepAR", "NHITS", "PatchTST", "AutoETS", "LightGBM", "fracast")
OURS = "brownout"


def part_of(dataset: Path, kind: str | None, metrics: Sequence[str], every: int) -> Panel:
    """Every so-and-so-many-th entity of the largest shards on one grid that has no long gap in any metric."""
    panels = [shard.panel for shard in shards(Dataset.open(dataset))]
    panels = [panel for panel in panels if kind in (None, panel.entities[0].kind)]
    if metrics:
        panels = [panel.select(metrics=[panel.metric_names.index(name) for name in metrics]) for panel in panels]
    slots = max(panel.values.shape[1] for panel in panels)
    alike = [panel for panel in panels if panel.values.shape[1] == slots]
    values = np.concatenate([panel.values for panel in alike])
    entities = tuple(entity for panel in alike for entity in panel.entities)
    whole = np.flatnonzero((np.isfinite(values).mean(axis=1) > 0.95).all(axis=1))[::every]
    return replace(alike[0], values=values[whole], entities=tuple(entities[i] for i in whole))


def filled(panel: Panel) -> Float:
    """Series ``[entity × metric, slot]`` with gaps that hold the value before them."""
    series = panel.values.transpose(0, 2, 1).reshape(-1, panel.values.shape[1])
    seen = np.isfinite(series)
    place = np.maximum.accumulate(np.where(seen, np.arange(series.shape[1]), 0), axis=1)
    held: Float = np.nan_to_num(np.take_along_axis(series, place, axis=1))
    return held


def ours(panel: Panel, origins: list[int], steps: int) -> dict[str, float]:
    """Train on what lies before the first origin; returns times and peak memory."""
    early = panel.between(panel.start, panel.start + (origins[0] + 1) * panel.step)
    started = time.process_time()
    forecaster = SelectedForecaster(LstmSettings(horizon=HORIZON, steps=steps)).fit([early])
    trained = time.process_time()
    made = forecaster.predict(ForecastRequest(panel, origins, HORIZON))
    facts = {"training_s": trained - started, "cpu_s": time.process_time()}
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return facts | {"values": made.values}  # type: ignore[dict-item] # the array rides along


class Judge:
    """Scores forecasts of one panel from the same origins, the first being ours."""

    def __init__(self, panel: Panel, origins: list[int]) -> None:
        season = panel.slots_per_day
        self.naive = SeasonalNaive(season).predict(ForecastRequest(panel, origins, HORIZON))
        self.rows = rows_of(panel, origins)
        self.scale = seasonal_scale(panel, season, end=origins[0] + 1)[self.rows.entities, self.rows.metrics]
        self.actual = actual_after(panel, self.naive)
        self.ours: Sums | None = None

    def line(self, name: str, made: Forecasts, facts: Mapping[str, float] = MappingProxyType({})) -> str:
        """A row of the table: overall ratios, differences from ours, coverage and cost."""
        scores = BacktestScores()
        scores.add(made, self.naive, self.actual, self.scale)
        found = sums(self.rows, made, self.naive, self.actual, self.scale)
        self.ours = self.ours or found
        cells = [name]
        for ratio, apart, error in zip(found.whole(), *deviations(found, self.ours), strict=True):
            known = np.isfinite(ratio) and found is not self.ours
            cells += [f"{ratio:.3f}", f"{apart:+.3f} ± {error:.3f}" if known else ""]
        cells += [f"{scores.summary()['overall']['coverage']:.3f}"]
        cells += [f"{facts[key]:.0f}" if key in facts else "" for key in ("training_s", "cpu_s", "peak_mb")]
        return f"| {' | '.join(cells)} |\n"


def peer(folder: Path, python: str, name: str, panel: Panel, origins: list[int]) -> tuple[Forecasts, dict[str, float]]:
    """Run a peer and put its values, within the metrics' bounds like ours, into the order of our rows."""
    subprocess.run([python, str(HERE / "peers.py"), str(folder), name], check=True)
    rows = rows_of(panel, origins)
    values = np.load(folder / f"{name}.npy")
    place = rows.entities * len(panel.metrics) + rows.metrics
    when = np.searchsorted(origins, rows.origins)
    clipped = clip_to_bounds(np.sort(values[place, when], axis=-1), rows)
    return rows.forecasts(clipped, name), json.loads((folder / f"{name}.json").read_text())


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("python")
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--kind")
    parser.add_argument("--metrics", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--stride", type=int, default=336)
    parser.add_argument("--steps", type=int, default=LstmSettings().steps)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    options = parser.parse_args()
    panel = part_of(options.dataset, options.kind, options.metrics, options.every)
    slots = panel.values.shape[1]
    origins = list(range(int(slots * (1 - TEST_SHARE)) - 1, slots - HORIZON, options.stride))
    say = sys.stdout.write
    say(f"{len(panel.entities)} entities, {len(panel.metrics)} metrics, {len(origins)} origins\n\n")
    say("| forecaster | MASE | v. ours | CRPS | v. ours | coverage | training CPU s | CPU s | peak MB |\n")
    say("|---|---|---|---|---|---|---|---|---|\n")
    judge = Judge(panel, origins)
    facts = ours(panel, origins, options.steps)
    made = judge.rows.forecasts(facts.pop("values"), OURS)  # type: ignore[arg-type]
    say(judge.line(OURS, made, facts))
    for classical in (Naive(), WeeklyNaive(), Smoothing(), MedianLevel()):
        say(judge.line(classical.name, classical.predict(ForecastRequest(panel, origins, HORIZON))))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "values.npy", filled(panel))
        task = {"origins": origins, "horizon": HORIZON, "seconds": options.seconds}
        (folder / "task.json").write_text(json.dumps(task))
        for name in options.peers:
            forecasts, cost = peer(folder, options.python, name, panel, origins)
            say(judge.line(name, forecasts, cost))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
