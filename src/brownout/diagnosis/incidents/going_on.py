"""When an incident began and whether it is still going on, by its own evidence.

Episodes begin with whatever is unusual before a fault, and end late: what is still unusual after one does not go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.evidence.symptoms import RAMP_CORRELATION
from brownout.diagnosis.incidents.incident_core import LEAST_SLOTS, activity
from brownout.domain.findings import Diagnosis, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.numerics.order_statistics import median

__all__ = ["filling_entities", "own_span", "with_own_span", "with_rise_since"]

HOLDS, ABSENT = 1 / 3, 0.1
"""Shares of its worst that evidence must reach to hold, and that it stays below where nothing is seen of it."""
EARLIER = np.timedelta64(3_600_000, "ms")
"""An incident that begins so long before there is anything of its evidence begins with that."""
QUIET = np.timedelta64(1_800_000, "ms")
"""Evidence that has not held for so long is over, unless it paused for longer before."""
TELLING_ROLES = (EvidenceRole.NECESSARY, EvidenceRole.STRONG)


def with_own_span(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> Diagnosis:
    """The diagnosis from when there was anything of its evidence on, closed where that ended before the data did.

    ``panels`` hold what was measured until the end of the incident; of an open one that is the end of the data.
    """
    start, end = own_span(diagnosis, window, panels)
    return replace(diagnosis, start=start, end=end, open=diagnosis.open and end == diagnosis.end)


def own_span(
    diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]
) -> tuple[np.datetime64, np.datetime64]:
    """From when to when what speaks for the first cause of an incident held; without any, what moved in it."""
    measured = [panel for panel in panels if panel.entities]
    if not measured:
        return diagnosis.start, diagnosis.end
    own = _telling(diagnosis, window, measured)
    step = min(panel.step for panel in measured)
    found = activity(window, measured, own or [mover for e in window.episodes for mover in e.movers], step)
    if found is None:
        return diagnosis.start, diagnosis.end
    grid, total = found
    holds = np.flatnonzero(total >= HOLDS * total.max())
    begun, over = grid[holds[0]], grid[holds[-1]] + step
    absent = not np.any(total[: holds[0] - 1] > ABSENT * total.max())
    start = begun if own and absent and begun - diagnosis.start > EARLIER else diagnosis.start
    longest = max((pause for pause in np.diff(grid[holds])), default=step)
    goes_on = window.end - over <= max(QUIET, longest) or not (own or diagnosis.open)
    return start, diagnosis.end if goes_on else max(over, start + step)


def filling_entities(diagnosis: Diagnosis, metrics: Mapping[str, Metric]) -> frozenset[str]:
    """Entities with something that fills up towards its limit among what speaks for the first cause of an incident."""
    known = (series for series in _telling_series(diagnosis) if series.metric in metrics)
    return frozenset(series.entity for series in known if _fills_to_its_limit(metrics[series.metric]))


def with_rise_since(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> Diagnosis:
    """The diagnosis, open again where what fills up has risen from its end to the end of the data, steadily.

    Detection gets used to a slow rise; a store that has stopped filling does not go on, however full it is.
    """
    if diagnosis.open or diagnosis.top.entity == "":
        return diagnosis
    for panel in panels:
        for mover in _telling(diagnosis, window, [panel]):
            row, column = panel.entity_ids.index(mover.series.entity), panel.metric_names.index(mover.series.metric)
            metric, values = panel.metrics[column], panel.values[row, :, column].astype(np.float64)
            if not _fills_to_its_limit(metric):
                continue
            sign, over = (1 if metric.worse is Worse.UP else -1), panel.slot(window.end)
            reached = median(values[max(over - LEAST_SLOTS, 0) : over])
            if _rises_from(sign * values[over:], sign * float(mover.usual + reached) / 2):
                return replace(diagnosis, end=panel.end, open=True)
    return diagnosis


def _fills_to_its_limit(metric: Metric) -> bool:
    return metric.is_limited and metric.fills_up


def _rises_from(values: npt.NDArray[np.float64], floor: float) -> bool:
    """Whether values stay above a floor and rise steadily: by their correlation with time, as a ramp's."""
    measured = np.flatnonzero(np.isfinite(values))
    if len(measured) < LEAST_SLOTS or np.ptp(values[measured]) == 0 or values[measured].min() < floor:
        return False
    return bool(np.corrcoef(measured, values[measured])[0, 1] >= RAMP_CORRELATION)


def _telling(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> list[Mover]:
    """The metrics that speak for the first cause, with what is usual of each before the incident."""
    movers = []
    for panel in panels:
        before = panel.between(panel.start, window.start).values
        for series in _telling_series(diagnosis):
            if series.entity in panel.entity_ids and series.metric in panel.metric_names:
                row, column = panel.entity_ids.index(series.entity), panel.metric_names.index(series.metric)
                usual = float(median(before[row, :, column]))
                if np.isfinite(usual):
                    movers.append(Mover(series=series, usual=usual, peak=0.0, deviation=1.0, onset=window.start))
    return movers


def _telling_series(diagnosis: Diagnosis) -> tuple[Series, ...]:
    telling = (
        evidence.series
        for evidence in diagnosis.top.evidence
        if evidence.state is EvidenceState.PRESENT and evidence.role in TELLING_ROLES and evidence.series is not None
    )
    return tuple(dict.fromkeys(telling))
