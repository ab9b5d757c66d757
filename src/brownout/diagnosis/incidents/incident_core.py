"""The core of an incident: the part of its span in which what moved was at least half as far out as at its worst.

Episodes last until everything has been quiet for a while, and those of one host are put together: a fault of twenty
minutes is often found as a span of an hour and a half, most of which is ordinary.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations
from brownout.diagnosis.evidence.surge import smooth
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import UNKNOWN, Diagnosis, Mover
from brownout.domain.metrics import Worse
from brownout.domain.panel import Float, Panel

__all__ = ["LEAST_SLOTS", "activity", "diagnose_phases", "phases"]

HALF, NEAR_WORST = 0.5, 0.85
LEAST_SLOTS = 5
"""A core is no shorter than this, so that one strange sample is no symptom."""

BEGINNING = np.timedelta64(2 * 3_600_000, "ms")
WORST = 4
"""Episodes of an incident that are looked at by themselves."""
Span = tuple[np.datetime64, np.datetime64]
Times = npt.NDArray[np.datetime64]


def diagnose_phases(
    diagnoser: Diagnoser,
    window: IncidentWindow,
    panels: Sequence[Panel],
    topology: Topology,
    known: dict[Span, Observations] | None = None,
) -> Diagnosis:
    """The answer of the first phase that has one, else that of the whole incident.

    Each phase is asked about the entities that hung on its host then. ``known`` are observations of the same panels by
    span: parts of an incident are asked about at the same times again.

    An artefact is the answer only where no other phase shows a fault at the same guest: a restart that brings a bad
    configuration with it leaves the traces of both.
    """
    artefact: Diagnosis | None = None
    host = topology.root(window.entities[0], window.start) if window.entities else ""
    for phase in phases(window, panels):
        until = [panel.between(panel.start, phase.end) for panel in panels]
        then = topology.at(phase.start)
        there = tuple(entity for entity in window.entities if then.root(entity) == host) or window.entities
        diagnosis = diagnoser.diagnose(replace(phase, entities=there), until, then, known)
        top = diagnosis.top
        if top.id == UNKNOWN:
            continue
        if artefact is None and not top.artefact:
            return diagnosis
        if artefact is None:
            artefact = diagnosis
        elif not top.artefact and _guests(top.entity, then) & _guests(artefact.top.entity, then):
            return diagnosis
    return artefact or diagnosis


def _guests(entity: str, topology: Topology) -> set[str]:
    """The guest that an entity is, or belongs to."""
    return {name for name in (entity, *topology.ancestors(entity)) if topology[name].kind == EntityKind.VM}


def phases(window: IncidentWindow, panels: Sequence[Panel]) -> tuple[IncidentWindow, ...]:
    """The same incident as its core, its worst, its beginning where it is long, its worst episodes, and its whole span.

    What creeps up is only at its worst what it is called; averaged over its hours it may be nothing.
    What starts with a restart can stay unusual for a day after the harm is over; then the beginning tells most.
    Unrelated faults can overlap on one host; then a single episode tells most. No span comes twice.
    """
    if not panels:
        return (window,)
    step = min(panel.step for panel in panels)
    last = max(panel.end for panel in panels)
    spans = [_widened(_core(window, panels, step, share), step, last) for share in (HALF, NEAR_WORST)]
    if window.end - window.start >= 2 * BEGINNING:
        spans.append((window.start, window.start + BEGINNING))
    if len(window.episodes) > 1:
        for episode in sorted(window.episodes, key=lambda episode: -episode.severity)[:WORST]:
            alone = replace(window, start=episode.start, end=episode.end, episodes=(episode,))
            spans.append(_widened(_core(alone, panels, step), step, last))
    if spans[0][1] - spans[0][0] <= window.end - window.start:
        spans.append((window.start, window.end))
    return tuple(replace(window, start=start, end=end) for start, end in dict.fromkeys(spans))


def _core(window: IncidentWindow, panels: Sequence[Panel], step: np.timedelta64, share: float = HALF) -> Span:
    """From the first to the last time at which what moved is out by a share of its worst."""
    movers = list({mover.series: mover for episode in window.episodes for mover in episode.movers}.values())
    found = activity(window, panels, movers, step)
    if found is None:
        return window.start, window.end
    grid, total = found
    busy = np.flatnonzero(total >= share * total.max())
    return grid[busy[0]], min(grid[busy[-1]] + step, window.end)


def activity(
    window: IncidentWindow, panels: Sequence[Panel], movers: Sequence[Mover], step: np.timedelta64
) -> tuple[Times, Float] | None:
    """How far some metrics are out at each time of a window, each weighted by its deviation; None without any."""
    parts = [part for panel in panels if (part := _activity(panel, window, movers)) is not None]
    if not parts:
        return None
    grid = np.arange(window.start, window.end, step)
    return grid, np.sum([_on(grid, times, values) for times, values in parts], axis=0)


def _widened(span: Span, step: np.timedelta64, last: np.datetime64) -> Span:
    """At least ``LEAST_SLOTS`` long."""
    start, end = span
    missing = LEAST_SLOTS - int((end - start) / step)
    if missing <= 0:
        return span
    return start - (missing // 2) * step, min(end + (missing - missing // 2) * step, max(last, end))


def _activity(panel: Panel, window: IncidentWindow, movers: Sequence[Mover]) -> tuple[Times, Float] | None:
    """Sum over a panel's movers of how far each is out, from 0 to its weight, ``[time]``; None where it has none."""
    rows = {entity: row for row, entity in enumerate(panel.entity_ids)}
    columns = {metric.name: column for column, metric in enumerate(panel.metrics) if metric.worse is not Worse.NONE}
    moved = [m for m in movers if m.series.entity in rows and m.series.metric in columns]
    part = panel.between(window.start, window.end)
    if not moved or part.values.shape[1] < 2:
        return None
    index = [rows[m.series.entity] for m in moved], [columns[m.series.metric] for m in moved]
    values = smooth(part.values)[index[0], :, index[1]]
    away = np.nan_to_num(np.abs(values - np.array([m.usual for m in moved], np.float32)[:, None]))
    weight = np.log1p(np.abs([m.deviation for m in moved])).astype(np.float32)
    peak = np.maximum(away.max(axis=1, keepdims=True), 1e-9)
    return part.times, (weight[:, None] * away / peak).sum(axis=0)


def _on(grid: Times, times: Times, values: Float) -> npt.NDArray[np.float64]:
    """Values of a coarser grid on a finer one, each held until the next."""
    last = np.searchsorted(times, grid, side="right") - 1
    return np.where(last >= 0, values[np.maximum(last, 0)], 0.0).astype(np.float64)
