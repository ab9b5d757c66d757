"""How fast the LSTM learns and predicts, beside neuralforecast's at equal size, in one run.

    python benchmarks/forecast/speed.py PYTHON_OF_THE_PEERS
    python benchmarks/forecast/speed.py --forecasts
    python benchmarks/forecast/speed.py --step

Equal size: one layer of 192 cells, 288 slots of context, 48 of horizon, 128 windows a step. Neuralforecast feeds its
LSTM slot by slot, ours an hour of twelve slots at a time: that, not tricks, is most of the difference. Rates are for a
processor second on one thread, which other work on the machine hardly changes. The second command looks at forecasts
only, the third at what a training step is made of, and at bf16 and torch.compile. Prints a Markdown table.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.metrics import Family, Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.architecture import build, pinball
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.network.series_block import block_of
from brownout.forecasting.network.training import draw, train
from brownout.forecasting.network.windows import CHANNELS, STATICS, Windows, windows

ALONE = {"OMP_NUM_THREADS": "1"}
"""One thread, so that none spends processor time on waiting for another."""
STEPS, SERIES, SLOTS = 30, 1000, 4032


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
    """Operations of a plain product in a processor second."""
    a = torch.randn(2048, 2048)
    return 2 * 2048**3 / least(lambda: a @ a)


def least(work: Callable[[], object], times: int = 6) -> float:
    """Least processor seconds of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def parts_of_a_step(settings: LstmSettings) -> None:
    """Processor milliseconds of what a step does with half a batch, and of the network in bf16 and compiled."""
    torch.set_num_threads(1)
    block, network = block_of([fleet()]), build(settings)
    rows, origins = draw(block, settings.batch // 2, torch.Generator().manual_seed(0))
    inputs = windows(block, rows, origins, settings)
    target = torch.randn(len(rows), settings.horizon)

    def learn(made: Callable[[Windows], torch.Tensor] = network, *, bf16: bool = False) -> None:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            quantiles = made(inputs)
        pinball(quantiles.float(), target).backward()  # type: ignore[no-untyped-call] # torch does not type it

    share = 3 * len(rows) * operations(settings) / least(learn) / matrix_rate()  # backwards costs twice forwards
    started = time.process_time()
    compiled = torch.compile(network)
    learn(compiled)
    compiling = time.process_time() - started
    figures = {
        "windows": least(lambda: windows(block, rows, origins, settings)),
        "forwards and backwards": least(learn),
        "… in bf16": least(lambda: learn(bf16=True)),
        f"… compiled, in {compiling:.1f} s": least(lambda: learn(compiled)),
    }
    table = "".join(f"| {name} | {1e3 * seconds:.1f} ms |\n" for name, seconds in figures.items())
    sys.stdout.write(f"| what | figure |\n|---|---|\n{table}| … of a plain product's rate | {share:.0%} |\n")


def forecasts(panel: Panel, forecaster: LstmForecaster) -> None:
    """Time of forecasting all series of a panel: the best of five, as a busy machine only adds to it."""
    walls, processors = [], []
    for _ in range(5):
        started, used = time.perf_counter(), time.process_time()
        forecaster.predict(ForecastRequest(panel, [SLOTS - 1], forecaster.settings.horizon))
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
    torch.set_num_threads(1)
    train(block, LstmSettings(steps=5), no_progress)
    started = time.process_time()
    network = train(block, settings, no_progress)
    rate = STEPS * settings.batch / (time.process_time() - started)
    plain = matrix_rate()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "values.npy", panel.values[:128, :, 0])
        command = [python, str(Path(__file__).parent / "peers.py"), folder, "--rate"]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ALONE)
    peer = float(answer.stdout.strip().splitlines()[-1])
    share = 3 * operations(settings) * rate / plain  # backwards costs twice forwards
    sys.stdout.write(
        "| what | figure |\n|---|---|\n"
        f"| training, ours | {rate:.0f} windows a processor second |\n"
        f"| training, neuralforecast's LSTM | {peer:.0f} windows a processor second |\n"
        f"| ratio | {rate / peer:.1f} |\n"
        f"| matrix products of the training, of a plain product's {plain / 1e9:.0f} GFLOP/s | {share:.0%} |\n"
    )
    forecasts(panel, LstmForecaster(settings, network))


if __name__ == "__main__":
    if sys.argv[1] == "--step":
        parts_of_a_step(LstmSettings())
    elif sys.argv[1] == "--forecasts":
        forecasts(fleet(), LstmForecaster(LstmSettings(), build(LstmSettings()).eval()))
    else:
        main(sys.argv[1])
