"""Judge a forecaster on a data set: train before the test share, predict it, compare with seasonal-naive."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.errors import DataError
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.evaluate.rolling_backtest import rolling_backtest
from brownout.evaluation.backtest import BacktestScores, rolling_origins
from brownout.evaluation.breach_scores import BreachScores, Windows, windows_of
from brownout.forecasting.baselines.naive import SeasonalNaive, seasonal_scale
from brownout.forecasting.cold_start.newcomer_forecasts import forecast_by_peers
from brownout.forecasting.exceedance.chance_correction import base_rates
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.numerics.slots import epoch_ms
from brownout.store.atomic import atomic_path
from brownout.store.plain_json import write_json
from brownout.store.shards import shards

__all__ = ["ForecastEvaluation", "evaluate_forecast"]


@dataclass(frozen=True, kw_only=True)
class ForecastEvaluation:
    """The protocol: ``season`` in slots, None for a day; ``model`` a stored forecaster instead of a training."""

    horizon: int = 48
    stride: int = 48
    test_share: float = 0.2
    season: int | None = None
    model: Path | None = None
    seed: int = 0


def evaluate_forecast(
    store: SampleStore, out: Path, options: ForecastEvaluation, progress: Progress = no_progress
) -> dict[str, object]:
    """Write ``predictions.parquet`` and ``scores.json``; returns the scores.

    The test share is the last part of the time axis of the whole data set; every entity and metric that has any history
    is predicted at each origin.
    """
    panels = [shard.panel for shard in shards(store)]
    if not panels:
        raise DataError(f"{store.name} has no samples.", remedy="Give a data set with samples.")
    first, last = min(panel.start for panel in panels), max(panel.end for panel in panels)
    test_start = last - np.timedelta64(int((last - first) / np.timedelta64(1, "ms") * options.test_share), "ms")
    started = time.monotonic()
    forecaster = _forecaster(panels, test_start, options, progress)
    trained = time.monotonic() - started
    judge = _Judge(BacktestScores(), BreachScores(), set())
    with atomic_path(out / "predictions.parquet") as part:
        _predict(forecaster, panels, test_start, options, part=part, judge=judge, progress=progress)
    result: dict[str, object] = {
        "protocol": asdict(options) | {"model": str(options.model or ""), "test_start": str(test_start)},
        "training_seconds": round(trained, 1),
        "prediction_seconds": round(time.monotonic() - started - trained, 1),
        "settings": asdict(forecaster.settings),
        "makers": dict(forecaster.makers_),
        "by_peers": sorted(judge.by_peers),
        "scores": judge.losses.summary(),
        "by_kind": judge.losses.by_kind(),
        "by_horizon": judge.losses.by_horizon(),
        "breaches": judge.breaches.summary(),
    }
    write_json(out / "scores.json", result)
    return result


def _forecaster(
    panels: list[Panel], test_start: np.datetime64, options: ForecastEvaluation, progress: Progress
) -> SelectedForecaster:
    if options.model is not None:
        return SelectedForecaster.load(options.model)
    settings = LstmSettings(horizon=options.horizon, season=options.season, seed=options.seed)
    early = [panel.between(panel.start, test_start) for panel in panels]
    return SelectedForecaster(settings).fit([panel for panel in early if panel.values.shape[1]], progress)


def _predict(  # noqa: PLR0913 - the protocol and its two outputs
    forecaster: SelectedForecaster,
    panels: list[Panel],
    test_start: np.datetime64,
    options: ForecastEvaluation,
    *,
    part: Path,
    judge: "_Judge",
    progress: Progress,
) -> None:
    schema, fleet = _schema(), FleetForecaster(forecaster, panels)
    horizon, stride = options.horizon, options.stride
    origins = [rolling_origins(panel, test_start, horizon=horizon, stride=stride) for panel in panels]
    facts = [_Facts.of(panel, test_start, options.season) for panel in panels]
    chances: list[list[Windows]] = [[] for _ in panels]
    rows, total = 0, sum(len(panel.entities) * len(slots) for panel, slots in zip(panels, origins, strict=True))
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for index, forecasts, actual in rolling_backtest(fleet, panels, origins, horizon):
            panel, known = panels[index], facts[index]
            starts = sorted({panel.slot(origin) for origin in forecasts.origins})
            naive = SeasonalNaive(known.season).predict(ForecastRequest(panel, starts, horizon))
            scale = np.array([known.scale[s.entity, s.metric] for s in forecasts.series])
            judge.by_peers.update(forecast_by_peers(forecasts))
            judge.losses.add(forecasts, naive, actual, scale, kind=panel.entities[0].kind)
            chances[index].append(windows_of(panel, forecasts))
            writer.write_table(_table(forecasts, schema))
            rows += len(panel.entities) * len(starts)
            progress("predict", rows / total)
    rates = base_rates([panel.between(panel.start, test_start) for panel in panels], horizon)
    for panel, windows in zip(panels, chances, strict=True):
        judge.breaches.add(panel, windows, rates)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the judge knows of a panel: slots of a season, and seasonal-naive's error by entity and metric."""

    season: int
    scale: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, panel: Panel, test_start: np.datetime64, season: int | None) -> Self:
        """Facts from the data before the test."""
        slots = season or panel.slots_per_day
        return cls(slots, _scale_by_series(panel, seasonal_scale(panel, slots, end=max(panel.slot(test_start), 0))))


@dataclass(frozen=True, slots=True)
class _Judge:
    """The scores that predictions are added to."""

    losses: BacktestScores
    breaches: BreachScores
    by_peers: set[str]


def _scale_by_series(panel: Panel, scale: np.ndarray) -> Mapping[tuple[str, str], float]:
    return {
        (entity, metric): float(scale[row, column])
        for row, entity in enumerate(panel.entity_ids)
        for column, metric in enumerate(panel.metric_names)
    }


def _schema() -> pa.Schema:
    names = pa.dictionary(pa.int32(), pa.string())
    stamp = pa.timestamp("ms", "UTC")
    levels = [(f"q{decile}0", pa.float32()) for decile in range(1, 10)]
    return pa.schema([("entity", names), ("metric", names), ("origin", stamp), ("time", stamp), *levels])


def _table(forecasts: Forecasts, schema: pa.Schema) -> pa.Table:
    """One row a step; ``origin`` is the slot time of the last sample seen."""
    rows, steps = len(forecasts.series), forecasts.horizon
    step = np.timedelta64(forecasts.interval_s * 1000, "ms")
    times = forecasts.origins[:, None] + step * np.arange(1, steps + 1)
    columns = [
        pa.array(np.repeat([s.entity for s in forecasts.series], steps)).dictionary_encode(),
        pa.array(np.repeat([s.metric for s in forecasts.series], steps)).dictionary_encode(),
        pa.array(np.repeat(forecasts.origins, steps).astype(np.int64), schema.field("origin").type),
        pa.array(epoch_ms(times.reshape(-1)), schema.field("time").type),
    ]
    flat = forecasts.values.reshape(rows * steps, -1)
    columns += [pa.array(np.ascontiguousarray(flat[:, level])) for level in range(flat.shape[1])]
    return pa.Table.from_arrays(columns, schema=schema)
