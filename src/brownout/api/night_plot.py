"""Plots of a night with matplotlib."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from brownout.domain.forecasts import Series
from brownout.domain.night import Night

__all__ = ["plot_series"]


def plot_series(night: Night, series: Series, measured: pd.DataFrame) -> Axes:
    """Draw what was measured of a series, its forecast, its limit, and the incidents of its entity and its host."""
    metric = night.metrics[series.metric]
    _, axes = plt.subplots(figsize=(10, 3.5))
    axes.plot(measured.index, measured[series.metric], lw=0.8, color="tab:blue", label="measured")
    chart = night.forecasts.get(series)
    if chart is not None and len(chart.future):
        future = pd.DatetimeIndex(chart.future, tz="UTC")
        axes.fill_between(future, chart.low, chart.high, color="tab:blue", alpha=0.2, lw=0, label="10 to 90 %")
        axes.plot(future, chart.middle, color="tab:blue", ls="--", lw=1, label="forecast")
    if metric.limit is not None:
        axes.axhline(metric.limit, color="tab:red", lw=1, ls=":", label=f"limit {metric.limit:g} {metric.unit}".strip())
    _shade_incidents(night, series.entity, axes, measured.index[0])
    axes.set_title(f"{metric.title or series.metric} · {series.entity}")
    axes.set_ylabel(metric.unit)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)
    return axes


def _shade_incidents(night: Night, entity: str, axes: Axes, since: pd.Timestamp) -> None:
    """Shade the spans of incidents that involve an entity, each cause in a colour of its own."""
    shown = [
        (max(pd.Timestamp(incident.start, tz="UTC"), since), pd.Timestamp(incident.end, tz="UTC"), incident.top.title)
        for incident in sorted(night.diagnoses, key=lambda incident: incident.start)
        if entity in incident.entities and pd.Timestamp(incident.end, tz="UTC") > since
    ]
    titles = list(dict.fromkeys(title for *_, title in shown))
    labelled = set()
    for start, end, title in shown:
        colour = f"C{1 + titles.index(title) % 9}"
        axes.axvspan(_days(start), _days(end), color=colour, alpha=0.25, lw=0, label="" if title in labelled else title)
        labelled.add(title)


def _days(time: pd.Timestamp) -> float:
    """Days since 1970, as matplotlib counts them on an axis of time."""
    return float((time - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1))
