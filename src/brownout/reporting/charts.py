"""Charts of a report: the past of a series, its forecast, and the spans to shade."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import Diagnosis
from brownout.domain.forecasts import Forecasts, Series
from brownout.domain.metrics import Metric
from brownout.domain.night import Chart, ConsoleLevel
from brownout.domain.panel import Float, Panel, Times
from brownout.numerics.order_statistics import median

__all__ = [
    "CHART_SLOTS",
    "console_levels",
    "forecast_chart",
    "incident_charts",
    "latency_chart",
    "past_chart",
    "slowed_console",
]

CHART_SLOTS = 500
"""A chart shows about this many measured values: more than a screen has pixels for helps nobody."""

CONTEXT = np.timedelta64(12 * 3_600_000, "ms")
"""How much is shown before and after an incident."""
LATELY = np.timedelta64(30 * 60_000, "ms")
"""A console is as slow now as it was over this long before the end of the data: a single slow answer is none yet."""
NO_TIMES: Times = np.empty(0, "datetime64[ms]")
NO_VALUES: Float = np.empty(0, np.float32)


def forecast_chart(series: Series, panel: Panel, forecast: Forecasts, naive: Forecasts, limit: float | None) -> Chart:
    """Past and forecast of a series; both forecasts hold just its row."""
    past = past_chart(series, panel, limit=limit)
    low, middle, high = (forecast.values[0, :, forecast.quantiles.index(q)] for q in (0.1, 0.5, 0.9))
    return Chart(
        series=series,
        times=past.times,
        values=past.values,
        future=forecast.times(0),
        low=low,
        middle=middle,
        high=high,
        naive=naive.values[0, :, naive.quantiles.index(0.5)],
        limit=limit,
        maker=forecast.makers[0],
    )


def past_chart(
    series: Series,
    panel: Panel,
    *,
    limit: float | None = None,
    marks: Sequence[tuple[np.datetime64, np.datetime64]] = (),
) -> Chart:
    """Measured values of a series in a panel, averaged where there are more than a chart can show."""
    row, column = panel.entity_ids.index(series.entity), panel.metric_names.index(series.metric)
    shown = panel.select(entities=[row], metrics=[column])
    shown = shown.coarsen(max(shown.values.shape[1] // CHART_SLOTS, 1))
    return Chart(
        series=series,
        times=shown.times,
        values=shown.values[0, :, 0],
        future=NO_TIMES,
        low=NO_VALUES,
        middle=NO_VALUES,
        high=NO_VALUES,
        naive=NO_VALUES,
        limit=limit,
        marks=tuple(marks),
    )


def incident_charts(
    diagnosis: Diagnosis, panels: Sequence[Panel], metrics: Mapping[str, Metric], wanted: Sequence[Series]
) -> dict[Series, Chart]:
    """Charts of the wanted series around a diagnosis, with its span shaded."""
    charts = {}
    for panel in panels:
        around = panel.between(diagnosis.start - CONTEXT, diagnosis.end + CONTEXT)
        for series in wanted:
            if series.entity in panel.entity_ids and series.metric in panel.metric_names:
                span = (diagnosis.start, diagnosis.end)
                charts[series] = past_chart(series, around, limit=metrics[series.metric].limit, marks=[span])
    return charts


def slowed_console(
    latency: str, diagnosis: Diagnosis, topology: Topology, culprit: str, panels: Sequence[Panel]
) -> Series | None:
    """The console of the culprit whose latency rose most in the incident; None where that of none of them rose.

    Consoles are those of a guest, or of all guests on the host of anything else; ``panels`` hold the incident and the
    time before it.
    """
    of_guest = topology[culprit].kind in (EntityKind.VM, EntityKind.CONSOLE)
    reached = {culprit, *topology.descendants(culprit if of_guest else topology.root(culprit))}
    rises: list[tuple[float, Series]] = []
    for panel in panels:
        rows = [row for row, name in enumerate(panel.entity_ids) if name in reached]
        if latency not in panel.metric_names or not rows:
            continue
        chosen = panel.select(entities=rows, metrics=[panel.metric_names.index(latency)])
        within = median(chosen.between(diagnosis.start, diagnosis.end).values[..., 0], axis=1)
        before = median(chosen.between(panel.start, diagnosis.start).values[..., 0], axis=1)
        rise = within - before
        rises += [
            (float(rise[row]), Series(chosen.entity_ids[row], latency)) for row in np.flatnonzero(rise > 0).tolist()
        ]
    return max(rises, default=(0.0, None))[1]


def latency_chart(panels: Sequence[Panel], metric: Metric | None) -> Chart | None:
    """Console latency over all consoles: median, 10 and 90 % quantile by slot; panels hold that one metric."""
    known = [panel for panel in panels if panel.values.shape[1]]
    if not known or metric is None:
        return None
    start, step = min(panel.start for panel in known), known[0].step
    length = int((max(panel.end for panel in known) - start) // step)
    rows = np.full((sum(len(panel.entities) for panel in known), length), np.nan, np.float32)
    row = 0
    for panel in known:
        first = int((panel.start - start) // step)
        rows[row : row + len(panel.entities), first : first + panel.values.shape[1]] = panel.values[..., 0]
        row += len(panel.entities)
    measured = np.isfinite(rows).any(axis=0)
    levels = np.full((3, length), np.nan, np.float32)
    levels[:, measured] = np.nanquantile(rows[:, measured], (0.1, 0.5, 0.9), axis=0)
    return Chart(
        series=Series("all consoles", metric.name),
        times=start + step * np.arange(length),
        values=levels[1],
        future=NO_TIMES,
        low=levels[0],
        middle=NO_VALUES,
        high=levels[2],
        naive=NO_VALUES,
        limit=metric.limit,
    )


def console_levels(panel: Panel | None, metric: Metric | None, end: np.datetime64) -> tuple[ConsoleLevel, ...]:
    """The latency of each console now, slowest first: its median over the half hour before the end of the data.

    The panel holds that one metric; a console without a value in that time is left out.
    """
    if panel is None or metric is None:
        return ()
    levels = []
    recent = panel.between(end - LATELY, end)
    for entity, values in zip(recent.entity_ids, recent.values[..., 0], strict=True):
        measured = values[np.isfinite(values)]
        if len(measured):
            now = float(np.median(measured))
            beyond = bool(metric.exceeds(now))
            levels.append(
                ConsoleLevel(series=Series(entity, metric.name), now=now, limit=metric.limit, exceeded=beyond)
            )
    return tuple(sorted(levels, key=lambda level: (-level.now, level.series)))
