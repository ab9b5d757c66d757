"""Rolling backtest: panels forecast side by side through time, each origin calibrated by what came of earlier ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Forecaster
from brownout.evaluation.backtest import actual_after
from brownout.forecasting.parts import ALL_PARTS, ForecastParts, Part
from brownout.forecasting.selection.calibration import outer_of
from brownout.forecasting.selection.rolling_calibration import RollingCalibration
from brownout.forecasting.series_rows import clip_to_bounds, rows_of

__all__ = ["rolling_backtest"]

AT_ONCE = 8
"""Origins whose forecasts are made together, so that memory stays small and panels are read a few times only."""

PanelForecasts = tuple[int, Forecasts, Float]


def rolling_backtest(
    forecaster: Forecaster,
    panels: Sequence[Panel],
    origins: Sequence[Sequence[int]],
    horizon: int,
    parts: ForecastParts = ALL_PARTS,
) -> Iterator[PanelForecasts]:
    """Yield the index of a panel, its forecasts from some origins, and the measured values ``[row, step]``.

    ``origins`` are slots of each panel. Panels of one interval teach each other how wide their intervals should be.
    """
    for interval in dict.fromkeys(panel.interval_s for panel in panels):
        alike = [index for index, panel in enumerate(panels) if panel.interval_s == interval]
        slots = {index: {panels[index].start + o * panels[index].step: o for o in origins[index]} for index in alike}
        times = sorted({time for table in slots.values() for time in table})
        rolling = RollingCalibration()
        for first in range(0, len(times), AT_ONCE):
            moments = times[first : first + AT_ONCE]
            chosen = {p: [table[time] for time in moments if time in table] for p, table in slots.items()}
            requests = {p: ForecastRequest(panels[p], starts, horizon) for p, starts in chosen.items() if starts}
            forecasts_of = {p: forecaster.predict(request) for p, request in requests.items()}
            if parts.has(Part.ROLLING_CALIBRATION):
                forecasts_of = _calibrated(rolling, panels, forecasts_of, moments)
            for index, forecasts in forecasts_of.items():
                yield index, forecasts, actual_after(panels[index], forecasts)


def _calibrated(
    rolling: RollingCalibration,
    panels: Sequence[Panel],
    forecasts_of: Mapping[int, Forecasts],
    times: Sequence[np.datetime64],
) -> dict[int, Forecasts]:
    """Calibrate origin by origin: correct the forecasts of all panels from an origin, then learn from their errors."""
    came = {index: actual_after(panels[index], forecasts) for index, forecasts in forecasts_of.items()}
    values = {index: forecasts.values.copy() for index, forecasts in forecasts_of.items()}
    outer = {index: outer_of(forecasts).copy() for index, forecasts in forecasts_of.items()}
    for time in times:
        factors, learned = rolling.factors(time), []
        for index, forecasts in forecasts_of.items():
            rows = np.flatnonzero(forecasts.origins == time)
            if not len(rows):
                continue
            raw = replace(forecasts.rows(rows.tolist()), outer=outer[index][rows])
            moved = factors.calibrated(raw)
            bounds = rows_of(panels[index], [panels[index].slot(time)])
            values[index][rows] = clip_to_bounds(moved.values, bounds)
            outer[index][rows] = clip_to_bounds(outer_of(moved), bounds)
            learned.append((raw, came[index][rows]))
        rolling.learn(learned)
    return {p: replace(forecasts, values=values[p], outer=outer[p]) for p, forecasts in forecasts_of.items()}
