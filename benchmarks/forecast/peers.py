"""Peers of our forecaster, each in a process of its own, in an environment that has ``requirements.txt``.

Every peer gets the same series (gaps filled with the last value, which none of them can do itself), predicts the same
origins and writes quantiles ``[series, origin, step, quantile]`` with its training and inference time and peak memory.
"""

import json
import logging
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float32]
LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10))
CONTEXT = 288
SEASON = 288
ETS_PAST = 864
"""Slots that AutoETS is fitted on: three days. It knows no season of 288."""
ROWS = 200_000
"""Training rows of LightGBM."""


class Task:
    """Series ``[series, slot]`` without gaps, origins (last slot seen) and what a training may cost."""

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / "task.json").read_text())
        self.values: Values = np.load(folder / "values.npy")
        self.origins: list[int] = facts["origins"]
        self.horizon: int = facts["horizon"]
        self.seconds: float = facts["seconds"]

    @property
    def cut(self) -> int:
        """First slot that no training sees."""
        return self.origins[0] + 1


def neural(name: str) -> Callable[[Task], tuple[Values, float]]:
    """A model of neuralforecast with its default size, stopped when the processor time of the task is used."""

    def run(task: Task) -> tuple[Values, float]:
        from neuralforecast import NeuralForecast, models  # noqa: PLC0415
        from neuralforecast.losses.pytorch import DistributionLoss, MQLoss  # noqa: PLC0415

        quantiles = list(LEVELS)
        loss = DistributionLoss("StudentT", quantiles=quantiles) if name == "DeepAR" else MQLoss(quantiles=quantiles)
        own: dict[str, Any] = {"LSTM": {}, "DeepAR": {"trajectory_samples": 100}}.get(name, {})
        model = getattr(models, name)(
            h=task.horizon,
            input_size=CONTEXT,
            loss=loss,
            scaler_type="robust",
            windows_batch_size=256,
            max_steps=5000,
            callbacks=[_within(task.seconds)],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            **own,
        )
        forecast = NeuralForecast(models=[model], freq=1)
        started = time.process_time()
        forecast.fit(_frame(task.values[:, : task.cut]))
        trained = time.process_time() - started
        return np.stack([_neural_at(forecast, task, origin) for origin in task.origins], axis=1), trained

    return run


def _within(seconds: float) -> Any:
    """Stops a training that has used its processor time."""
    from pytorch_lightning import Callback  # noqa: PLC0415

    class Within(Callback):
        used = time.process_time()

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            trainer.should_stop = time.process_time() - self.used > seconds

    return Within()


def rate(values: Values) -> float:
    """Windows that LSTM learns from in a processor second: one layer of 192 cells, 128 windows of 288 slots a step."""
    from neuralforecast import NeuralForecast  # noqa: PLC0415
    from neuralforecast.losses.pytorch import MQLoss  # noqa: PLC0415
    from neuralforecast.models import LSTM  # noqa: PLC0415

    times = {}
    for steps in (2, 6):
        model = LSTM(
            h=48,
            input_size=CONTEXT,
            encoder_n_layers=1,
            encoder_hidden_size=192,
            loss=MQLoss(quantiles=list(LEVELS)),
            windows_batch_size=128,
            max_steps=steps,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )
        started = time.process_time()
        NeuralForecast(models=[model], freq=1).fit(_frame(values))
        times[steps] = time.process_time() - started
    return (6 - 2) * 128 / (times[6] - times[2])


def _neural_at(forecast: Any, task: Task, origin: int) -> Values:
    past = task.values[:, origin + 1 - 2 * CONTEXT : origin + 1]
    made = forecast.predict(_frame(past))
    columns = [c for c in made.columns if c not in {"unique_id", "ds"}]
    kept = [c for c in columns if "-lo-" in c or "-hi-" in c or "median" in c or "_ql" in c]
    table = np.sort(made[kept].to_numpy(np.float32), axis=1)
    return table[:, -9:].reshape(len(past), task.horizon, -1)


def _frame(values: Values) -> pd.DataFrame:
    series, slots = values.shape
    return pd.DataFrame(
        {"unique_id": np.repeat(np.arange(series), slots), "ds": np.tile(np.arange(slots), series), "y": values.ravel()}
    )


def ets(task: Task) -> tuple[Values, float]:
    """AutoETS of statsforecast, fitted anew at every origin: it learns nothing beforehand."""
    from statsforecast import StatsForecast  # noqa: PLC0415
    from statsforecast.models import AutoETS  # noqa: PLC0415

    found = []
    for origin in task.origins:
        past = task.values[:, origin + 1 - ETS_PAST : origin + 1]
        made = StatsForecast(models=[AutoETS(season_length=1)], freq=1).forecast(
            df=_frame(past.astype(np.float64)), h=task.horizon, level=[20, 40, 60, 80]
        )
        order = [f"AutoETS-lo-{n}" for n in (80, 60, 40, 20)] + ["AutoETS"]
        order += [f"AutoETS-hi-{n}" for n in (20, 40, 60, 80)]
        found.append(made[order].to_numpy(np.float32).reshape(len(past), task.horizon, -1))
    return np.stack(found, axis=1), 0.0


def boosted(task: Task) -> tuple[Values, float]:
    """LightGBM with the quantile loss, one model a level for all series and steps, on lags and rolling figures."""
    import lightgbm as lgb  # noqa: PLC0415

    generator = np.random.default_rng(0)
    series = generator.integers(0, len(task.values), ROWS)
    origins = generator.integers(7 * SEASON, task.cut - task.horizon - 1, ROWS)
    steps = generator.integers(1, task.horizon + 1, ROWS)
    features, level, spread = _features(task.values, series, origins, steps)
    target = (task.values[series, origins + steps] - level) / spread
    started = time.process_time()
    shape = {"objective": "quantile", "num_leaves": 63, "learning_rate": 0.08, "verbose": -1, "num_threads": 1}
    models = [
        lgb.train(shape | {"alpha": alpha}, lgb.Dataset(features, np.clip(target, -50, 50)), num_boost_round=150)
        for alpha in LEVELS
    ]
    trained = time.process_time() - started
    grid = np.meshgrid(np.arange(len(task.values)), task.origins, np.arange(1, task.horizon + 1), indexing="ij")
    features, level, spread = _features(task.values, *(axis.ravel() for axis in grid))
    made = np.stack([np.asarray(model.predict(features)) for model in models], axis=-1)
    values = np.sort(made * spread[:, None] + level[:, None], axis=-1)
    return values.reshape(*grid[0].shape, -1).astype(np.float32), trained


def _features(values: Values, series: Any, origins: Any, steps: Any) -> tuple[Values, Values, Values]:
    """Features of (series, origin, step), and the level and spread that the target is scaled by."""
    seen = values[series[:, None], origins[:, None] - np.arange(CONTEXT)]
    level = np.median(seen, axis=1)
    spread = np.maximum(np.abs(seen - level[:, None]).mean(axis=1), 1e-4 * np.abs(level) + 1e-6)
    recent = seen[:, [0, 1, 2, 3, 5, 8, 11, 23, 47]]
    means = np.stack([seen[:, :n].mean(axis=1) for n in (3, 6, 12, 48)], axis=1)
    days = values[series[:, None], (origins + steps)[:, None] - SEASON * np.array([1, 2, 7])]
    scaled = (np.concatenate([recent, means, days], axis=1) - level[:, None]) / spread[:, None]
    known = [steps, (origins + steps) % SEASON, (origins + steps) % 12, (origins + steps) // SEASON % 7]
    known += [np.log10(spread + 1e-6), series % 6]
    return np.column_stack([np.clip(scaled, -50, 50), *known]).astype(np.float32), level, spread


def fracast(task: Task) -> tuple[Values, float]:
    """Fracast-0 with the weights in its wheel (85,001 of them): it learns nothing here and reads 2,048 values."""
    from fracast import FracastModel  # noqa: PLC0415

    model = FracastModel.from_pretrained(weights="fp32")
    found = [
        model.forecast(task.values[:, max(origin + 1 - model.context_length, 0) : origin + 1], horizon=task.horizon)
        for origin in task.origins
    ]
    return np.stack(found, axis=1).astype(np.float32), 0.0


PEERS: dict[str, Callable[[Task], tuple[Values, float]]] = {
    "LSTM": neural("LSTM"),
    "DeepAR": neural("DeepAR"),
    "NHITS": neural("NHITS"),
    "PatchTST": neural("PatchTST"),
    "AutoETS": ets,
    "LightGBM": boosted,
    "fracast": fracast,
}


def main(folder: Path, name: str) -> None:
    """Run one peer on the task of a folder, or see how fast its LSTM learns from the series there."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    if name == "--rate":
        sys.stdout.write(f"{rate(np.load(folder / 'values.npy'))}\n")
        return
    started = time.monotonic()
    values, trained = PEERS[name](Task(folder))
    facts = {
        "training_s": trained,
        "total_s": time.monotonic() - started,
        "cpu_s": time.process_time(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    np.save(folder / f"{name}.npy", values)
    (folder / f"{name}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
