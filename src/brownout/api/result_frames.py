"""Forecasts and scores of the stages of a night as pandas frames: one row a step of a series."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brownout.domain.findings import AnomalyScores
from brownout.domain.metrics import Metric
from brownout.nightly.forecast import ShardForecast

__all__ = ["quantile_frame", "score_frame"]

FORECAST = ("entity", "metric", "unit", "limit", "time", *(f"q{level}" for level in range(10, 100, 10)), "maker")
SCORES = ("entity", "time", "score", "alarm")


def quantile_frame(parts: Sequence[ShardForecast | None], metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Quantile paths of all series; columns as in ``FORECAST``."""
    frames = []
    for part in parts:
        forecasts = None if part is None else part.forecasts
        if forecasts is None or not forecasts.series:
            continue
        steps = forecasts.horizon
        names = pd.DataFrame(
            {
                "entity": [series.entity for series in forecasts.series],
                "metric": [series.metric for series in forecasts.series],
                "unit": [metrics[series.metric].unit for series in forecasts.series],
                "limit": [metrics[series.metric].limit for series in forecasts.series],
                "maker": forecasts.makers,
            }
        )
        frame = names.loc[names.index.repeat(steps)].reset_index(drop=True)
        times = np.concatenate([forecasts.times(row) for row in range(len(forecasts.series))])
        frame["time"] = pd.to_datetime(times, utc=True)
        values = forecasts.values.reshape(-1, forecasts.values.shape[2]).astype(np.float64)
        for index, level in enumerate(forecasts.quantiles):
            frame[f"q{round(100 * level)}"] = values[:, index]
        frames.append(frame[list(FORECAST)])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(FORECAST))


def score_frame(parts: Sequence[AnomalyScores | None]) -> pd.DataFrame:
    """Scores of all slots that were searched and measured; columns as in ``SCORES``."""
    frames = []
    for part in parts:
        if part is None:
            continue
        rows, slots = np.nonzero(np.isfinite(part.scores))
        values = part.scores[rows, slots].astype(np.float64)
        columns = {
            "entity": np.array(part.entities, object)[rows],
            "time": pd.to_datetime(part.times[slots], utc=True),
            "score": values,
            "alarm": values > 1.0,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(SCORES))
