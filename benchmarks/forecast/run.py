"""Our forecaster beside its peers: same series, same origins, same training time for every network.

    python benchmarks/forecast/run.py DATASET PYTHON_OF_THE_PEERS [--every 8] [--seconds 150] [--stride 336]
    python benchmarks/forecast/run.py SIMULATED PYTHON_OF_THE_PEERS --kind console --metrics console_echo_ms

The peers live in an environment of their own that has ``requirements.txt`` beside this file, since statsforecast and
neuralforecast want an older pandas than brownout. Every ``--every``-th entity (of ``--kind``) that was measured
throughout is taken, with all metrics or those named. A case runs in a process of its own. Prints a Markdown table;
ratios are to day-seasonal naive, as geometric mean over the metrics.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.evaluation.forecast import BacktestScores, actual_after
from brownout.forecasting.naive import Naive, SeasonalNaive, WeeklyNaive, seasonal_scale
from brownout.forecasting.rows import clip_to_bounds, day_steps, rows_of
from brownout.forecasting.selected import SelectedForecaster
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.smoothing import Smoothing
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.grid import shards

HERE = Path(__file__).parent
HORIZON = 48
TEST_SHARE = 0.2
PEERS = ("LSTM", "DeepAR", "NHITS", "PatchTST", "AutoETS", "LightGBM")
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
    started = time.monotonic()
    forecaster = SelectedForecaster(LstmSettings(horizon=HORIZON, steps=steps)).fit([early])
    trained = time.monotonic()
    made = forecaster.predict(panel, origins, HORIZON)
    facts = {"training_s": trained - started, "total_s": time.monotonic() - started, "cpu_s": time.process_time()}
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return facts | {"values": made.values}  # type: ignore[dict-item] # the array rides along


def score(panel: Panel, origins: list[int], made: Forecasts) -> dict[str, float]:
    """Overall ratios and coverage."""
    season = day_steps(panel.interval_s)
    naive = SeasonalNaive(season).predict(panel, origins, HORIZON)
    scale = seasonal_scale(panel, season, end=origins[0] + 1)
    rows = rows_of(panel, origins, HORIZON)
    scores = BacktestScores()
    scores.add(made, naive, actual_after(panel, naive), scale[rows.entities, rows.metrics])
    return scores.summary()["overall"]


def peer(folder: Path, python: str, name: str, panel: Panel, origins: list[int]) -> tuple[Forecasts, dict[str, float]]:
    """Run a peer and put its values, within the metrics' bounds like ours, into the order of our rows."""
    subprocess.run([python, str(HERE / "peers.py"), str(folder), name], check=True)
    rows = rows_of(panel, origins, HORIZON)
    values = np.load(folder / f"{name}.npy")
    place = rows.entities * len(panel.metrics) + rows.metrics
    when = np.searchsorted(origins, rows.origins)
    clipped = clip_to_bounds(np.sort(values[place, when], axis=-1), rows)
    return rows.forecasts(clipped, name), json.loads((folder / f"{name}.json").read_text())


def line(name: str, scores: dict[str, float], facts: dict[str, float]) -> str:
    """A row of the table."""
    cost = (f"{facts[key]:.0f}" if key in facts else "" for key in ("training_s", "cpu_s", "peak_mb"))
    figures = (f"{scores[key]:.3f}" for key in ("mase", "crps", "coverage"))
    return f"| {name} | {' | '.join(figures)} | {' | '.join(cost)} |"


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("python")
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--kind")
    parser.add_argument("--metrics", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--stride", type=int, default=336)
    parser.add_argument("--steps", type=int, default=LstmSettings().steps)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    options = parser.parse_args()
    panel = part_of(options.dataset, options.kind, options.metrics, options.every)
    slots = panel.values.shape[1]
    origins = list(range(int(slots * (1 - TEST_SHARE)) - 1, slots - HORIZON, options.stride))
    say = sys.stdout.write
    say(f"{len(panel.entities)} entities, {len(panel.metrics)} metrics, {len(origins)} origins\n\n")
    say("| forecaster | MASE | CRPS | coverage | training s | CPU s | peak MB |\n|---|---|---|---|---|---|---|\n")
    facts = ours(panel, origins, options.steps)
    rows = rows_of(panel, origins, HORIZON)
    made = rows.forecasts(facts.pop("values"), OURS)  # type: ignore[arg-type]
    say(line(OURS, score(panel, origins, made), facts) + "\n")
    for classical in (Naive(), WeeklyNaive(), Smoothing()):
        say(line(classical.name, score(panel, origins, classical.predict(panel, origins, HORIZON)), {}) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "values.npy", filled(panel))
        task = {"origins": origins, "horizon": HORIZON, "seconds": options.seconds}
        (folder / "task.json").write_text(json.dumps(task))
        for name in options.peers:
            forecasts, cost = peer(folder, options.python, name, panel, origins)
            say(line(name, score(panel, origins, forecasts), cost) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
