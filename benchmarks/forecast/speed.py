"""How fast the LSTM learns and predicts, beside neuralforecast's at equal size, in one run.

    python benchmarks/forecast/speed.py PYTHON_OF_THE_PEERS
    python benchmarks/forecast/speed.py --forecasts

Equal size: one layer of 192 cells, 288 slots of context, 48 of horizon, 128 windows a step. Neuralforecast feeds its
LSTM slot by slot, ours an hour of twelve slots at a time: that, not tricks, is most of the difference. The second
command looks at our forecasts only. Prints a Markdown table.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from brownout.domain.entities import Entity
from brownout.domain.metrics import Family, Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import no_progress
from brownout.forecasting.block import block_of
from brownout.forecasting.lstm import LstmForecaster
from brownout.forecasting.network import build
from brownout.forecasting.settings import LstmSettings
from brownout.forecasting.training import train
from brownout.forecasting.windows import CHANNELS, STATICS

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Their threads wait without spinning, which on a busy machine is faster for them."""
STEPS, SERIES, SLOTS = 60, 1000, 4032


def fleet() -> Panel:
    """A thousand series of two weeks at five minutes."""
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(SLOTS) / 288
    values = 50 + 20 * np.sin(phase + rng.uniform(0, 6, (SERIES, 1))) + rng.normal(0, 3, (SERIES, SLOTS))
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(SERIES))
    metric = Metric(name="cpu_pct", family=Family.CPU, lower=0, upper=100)
    return Panel(values.astype(np.float32)[:, :, None], np.datetime64("2026-03-02", "ms"), 300, entities, (metric,))


def operations(settings: LstmSettings) -> float:
    """Floating-point operations of the matrix products of one window, forwards."""
    inputs, hidden = settings.patch * CHANNELS + STATICS + 16, settings.hidden
    patches, ahead = settings.context_patches + settings.horizon_patches, settings.horizon_patches
    recurrence = patches * (inputs * hidden + 8 * hidden * hidden * settings.layers)
    return 2.0 * (recurrence + ahead * (2 * hidden * hidden + hidden * settings.patch * 22))


def matrix_rate() -> float:
    """Operations a second of a plain product on all cores."""
    a = torch.randn(2048, 2048)
    a @ a
    started = time.perf_counter()
    for _ in range(10):
        a @ a
    return 10 * 2 * 2048**3 / (time.perf_counter() - started)


def theirs() -> None:
    """Windows a second of neuralforecast's LSTM; runs in its own environment."""
    import pandas as pd  # noqa: PLC0415
    from neuralforecast import NeuralForecast  # noqa: PLC0415
    from neuralforecast.losses.pytorch import MQLoss  # noqa: PLC0415
    from neuralforecast.models import LSTM  # noqa: PLC0415

    values = fleet().values[:128, :, 0]
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(128), SLOTS), "ds": np.tile(np.arange(SLOTS), 128), "y": values.ravel()}
    )
    times = {}
    for steps in (2, 8):
        model = LSTM(
            h=48,
            input_size=288,
            encoder_n_layers=1,
            encoder_hidden_size=192,
            loss=MQLoss(quantiles=[0.1 * k for k in range(1, 10)]),
            windows_batch_size=128,
            max_steps=steps,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )
        started = time.perf_counter()
        NeuralForecast(models=[model], freq=1).fit(frame)
        times[steps] = time.perf_counter() - started
    sys.stdout.write(json.dumps(6 * 128 / (times[8] - times[2])) + "\n")


def forecasts(panel: Panel, forecaster: LstmForecaster) -> None:
    """Time of forecasting all series of a panel: the best of five, as a busy machine only adds to it."""
    walls, processors = [], []
    for _ in range(5):
        started, used = time.perf_counter(), time.process_time()
        forecaster.predict(panel, [SLOTS - 1], forecaster.settings.horizon)
        walls.append(time.perf_counter() - started)
        processors.append(time.process_time() - used)
    sys.stdout.write(
        f"| forecasts of 1,000 series, 48 steps | {min(walls):.2f} s, {min(processors):.2f} s of processors |\n"
    )


def main(python: str) -> None:
    """Measure both."""
    settings = LstmSettings(steps=STEPS)
    panel = fleet()
    block = block_of([panel])
    train(block, LstmSettings(steps=5), no_progress)
    started = time.perf_counter()
    network = train(block, settings, no_progress)
    rate = STEPS * settings.batch / (time.perf_counter() - started)
    plain = matrix_rate()
    answer = subprocess.run(
        [python, str(Path(__file__)), "--theirs"], check=True, capture_output=True, text=True, env=os.environ | PASSIVE
    )
    peer = float(answer.stdout.strip().splitlines()[-1])
    share = 3 * operations(settings) * rate / plain  # backwards costs twice forwards
    sys.stdout.write(
        "| what | figure |\n|---|---|\n"
        f"| training, ours | {rate:.0f} windows a second |\n"
        f"| training, neuralforecast's LSTM | {peer:.0f} windows a second |\n"
        f"| ratio | {rate / peer:.1f} |\n"
        f"| matrix products of the training, of a plain product's {plain / 1e9:.0f} GFLOP/s | {share:.0%} |\n"
    )
    forecasts(panel, LstmForecaster(settings, network))


if __name__ == "__main__":
    if sys.argv[1] == "--theirs":
        theirs()
    elif sys.argv[1] == "--forecasts":
        forecasts(fleet(), LstmForecaster(LstmSettings(), build(LstmSettings()).eval()))
    else:
        main(sys.argv[1])
