"""Whether an incident is still going on: its own evidence holds at the end of the data, else it is over since then."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.incident_core import activity
from brownout.domain.findings import Diagnosis, EvidenceRole, EvidenceState, Mover
from brownout.domain.panel import Panel
from brownout.numerics.order_statistics import median

__all__ = ["with_own_end"]

HOLDS = 1 / 3
"""Share of its worst that evidence must reach to hold."""
QUIET = np.timedelta64(3_600_000, "ms")
"""Evidence that has not held for so long is over, unless it paused for longer before."""
TELLING_ROLES = (EvidenceRole.NECESSARY, EvidenceRole.STRONG)


def with_own_end(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> Diagnosis:
    """The diagnosis of an open incident, closed where what speaks for it ended; ``panels`` reach to the data's end.

    Episodes end late: what is still unusual after a fault is no fault that goes on.
    """
    measured = [panel for panel in panels if panel.entities]
    if not diagnosis.open or not measured:
        return diagnosis
    movers = _telling(diagnosis, window, measured) or [mover for e in window.episodes for mover in e.movers]
    step = min(panel.step for panel in measured)
    found = activity(window, measured, movers, step)
    if found is None:
        return diagnosis
    grid, total = found
    holds = np.flatnonzero(total >= HOLDS * total.max())
    pauses = max(np.diff(grid[holds]).tolist(), default=None)
    longest = np.timedelta64(0 if pauses is None else pauses, "ms")
    end = grid[holds[-1]] + step
    if window.end - end <= max(QUIET, longest):
        return diagnosis
    return replace(diagnosis, end=max(end, diagnosis.start + step), open=False)


def _telling(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> list[Mover]:
    """The metrics that speak for the first cause, with what is usual of each before the incident."""
    told = [
        evidence.series
        for evidence in diagnosis.top.evidence
        if evidence.state is EvidenceState.PRESENT and evidence.role in TELLING_ROLES and evidence.series is not None
    ]
    movers = []
    for panel in panels:
        before = median(panel.between(panel.start, window.start).values, axis=1)
        for series in dict.fromkeys(told):
            if series.entity in panel.entity_ids and series.metric in panel.metric_names:
                usual = before[panel.entity_ids.index(series.entity), panel.metric_names.index(series.metric)]
                if np.isfinite(usual):
                    movers.append(Mover(series=series, usual=float(usual), peak=0.0, deviation=1.0, onset=window.start))
    return movers
