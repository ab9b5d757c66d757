"""The truth of a fleet as plain data: faults, breaches, harmless events, maintenance, names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fleets.build import Fleet
from fleets.faults.schedule import Plan
from fleets.life.events import TELLABLE
from fleets.life.operations import Scene
from fleets.outcome.crossings import Crossing, Limit, Marks, beyond, crossings, recurs
from fleets.outcome.effects import Effect, accepted, culprit, effects_of
from fleets.site.entities import columns_of, kind_of

__all__ = ["truth_of"]

LEARN_DAYS = 5
"""Days before which nobody is asked for warnings: a week's past is needed for a season."""
STRONG, MODERATE = 8.0, 3.0
"""Robust standard deviations of the least of the symptoms that a fault must show."""
BLIP_S = 600
"""What is beyond its limit for less is too short to be warned of."""
FORESEEN_SHARE = 0.25
"""Share of a ramp's way to its limit after which it can be foreseen, an hour at least."""

Table = dict[str, Any]


def truth_of(fleet: Fleet, limits: Sequence[Limit]) -> Table:
    """Everything that an end-to-end judge needs; times as UTC text, durations in seconds."""
    axis, order = fleet.axis, fleet.order
    judged = min(axis.span(LEARN_DAYS * 86_400), axis.seen // 2)
    scene = Scene(layout=fleet.layout, axis=axis, done=fleet.done)
    effects = [
        effects_of(scene, (fleet.readings, fleet.healthy), plan, level)
        for plan, level in zip(fleet.plans, fleet.courses, strict=True)
    ]
    return {
        "format": 1,
        "seed": order.seed,
        "mode": order.mode,
        "interval_s": axis.interval_s,
        "start": _text(fleet, 0),
        "end": _text(fleet, axis.seen),
        "judged_from": _text(fleet, judged),
        "known_until": _text(fleet, axis.slots),
        "zone_h": axis.zone_h,
        "hosts": len(fleet.layout.hosts),
        "guests": len(fleet.layout.guests),
        "faults": [_fault(fleet, plan, own) for plan, own in zip(fleet.plans, effects, strict=True)],
        "breaches": _breaches(fleet, limits, judged),
        "harmless": _harmless(fleet),
        "maintenance": [
            {"entity": e.entity, "start": _text(fleet, e.start), "end": _text(fleet, e.end)}
            for e in fleet.done.events
            if e.kind == "maintenance"
        ],
        "renamed": [
            {"old": fleet.layout.guests[g].name, "new": name, "time": _text(fleet, slot)}
            for g, (slot, name) in sorted(fleet.done.renamed.items())
        ],
    }


def _text(fleet: Fleet, slot: int) -> str:
    return f"{np.datetime_as_string(fleet.axis.time(slot), unit='s')}Z"


def _name(fleet: Fleet, entity: str, slot: int) -> str:
    """An entity's name at a time: guests are renamed."""
    for guest, (since, name) in fleet.done.renamed.items():
        old = fleet.layout.guests[guest]
        if slot >= since and entity in (old.name, old.console):
            return entity.replace(old.name, name, 1)
    return entity


def _fault(fleet: Fleet, plan: Plan, effects: Sequence[Effect]) -> Table:
    seen = [e.seen_from for e in effects if e.seen_from is not None]
    least = min((effect.shift for effect in effects), default=0.0)
    most = max((effect.shift for effect in effects), default=0.0)
    end = min(plan.end, fleet.axis.seen)
    return {
        "id": plan.id,
        "kind": plan.kind.name,
        "cause": plan.kind.cause,
        "also": list(plan.kind.also),
        "family": plan.kind.family,
        "entity": _name(fleet, culprit(fleet.layout, plan), plan.start),
        "entities": [_name(fleet, entity, plan.start) for entity in accepted(fleet.layout, plan)],
        "host": fleet.layout.hosts[plan.host].name,
        "start": _text(fleet, plan.start),
        "end": _text(fleet, end),
        "ongoing": plan.end > fleet.axis.seen,
        "shape": plan.shape,
        "severity": round(plan.severity, 3),
        "strength": "strong" if least >= STRONG else "moderate" if most >= MODERATE else "faint",
        "observable_from": _text(fleet, min(seen)) if seen else None,
        "shows": [
            {
                "entity": _name(fleet, e.entity, plan.start),
                "metric": e.metric,
                "worse": e.worse,
                "shift": round(e.shift, 2),
            }
            for e in effects
        ],
    }


def _harmless(fleet: Fleet) -> list[Table]:
    return [
        {
            "kind": event.kind,
            "entity": event.entity,
            "start": _text(fleet, event.start),
            "end": _text(fleet, min(event.end, fleet.axis.slots)),
            "recurring": event.recurring,
            "tellable": list(TELLABLE[event.kind]),
            **({"source": event.source, "target": event.target} if event.source else {}),
        }
        for event in sorted(fleet.events, key=lambda event: (event.start, event.kind, event.entity))
        if event.start < fleet.axis.seen
    ]


def _breaches(fleet: Fleet, limits: Sequence[Limit], judged: int) -> list[Table]:
    """Crossings from ``judged`` on, those after the end of the data too, of entities that are there."""
    names: Mapping[tuple[str, int], str] = {(c.kind, c.row): c.entity for c in columns_of(fleet.layout)}
    found = []
    for limit in limits:
        if limit.metric not in fleet.readings:
            continue
        kind = kind_of(limit.metric)
        values = fleet.readings[limit.metric].copy()
        for owner, row, when in fleet.done.absent:
            if owner == kind or (owner == "host" and kind in ("disk", "path", "interface")):
                values[row, when] = np.nan
        marks = beyond(values, limit, fleet.axis.interval_s)
        calm = beyond(fleet.healthy[limit.metric], limit, fleet.axis.interval_s)
        every = crossings(marks, fleet.axis.interval_s, first=0)
        for one in every:
            if one.slot >= judged:
                before = [e.slot for e in every if e.row == one.row and e.slot < one.slot]
                found.append(_breach(fleet, limit, (names[kind, one.row], kind), one, (before, calm[one.row])))
    return sorted(found, key=lambda breach: (breach["time"], breach["entity"], breach["metric"]))


def _breach(fleet: Fleet, limit: Limit, who: tuple[str, str], one: Crossing, past: tuple[list[int], Marks]) -> Table:
    """One breach; ``past`` is where the row crossed before, and where it would be beyond without faults."""
    before, calm = past
    axis, (entity, kind) = fleet.axis, who
    near = calm[max(one.slot - axis.span(1800), 0) : one.slot + axis.span(1800)]
    causes = [] if near.any() else [p for p in fleet.plans if _touches(fleet, p, kind, one)]
    ramps = [p for p in causes if p.kind.ramp == limit.metric and p.shape == "ramp" and _own(fleet, p, entity)]
    why, since = "", None
    if ramps:
        start = ramps[0].start
        since = start + max(int(FORESEEN_SHARE * (one.slot - start)), min(axis.span(3600), (one.slot - start) // 2))
        why = "ramp"
    elif near.any() and recurs(axis, one.slot, before):
        why, since = "season", max(one.slot - axis.span(86_400), 0)
    return {
        "entity": _name(fleet, entity, one.slot),
        "metric": limit.metric,
        "limit": limit.value,
        "time": _text(fleet, one.slot),
        "lasts_s": one.lasts_s,
        "blip": one.lasts_s < BLIP_S,
        "after_the_end": one.slot >= axis.seen,
        "foreseeable": why,
        "foreseeable_from": None if since is None else _text(fleet, since),
        "faults": [plan.id for plan in causes],
    }


def _own(fleet: Fleet, plan: Plan, entity: str) -> bool:
    return entity in accepted(fleet.layout, plan)


def _touches(fleet: Fleet, plan: Plan, kind: str, one: Crossing) -> bool:
    """Whether a fault is active at a crossing and on the same host, or of the site."""
    if not plan.start <= one.slot < plan.end + fleet.axis.span(1800):
        return False
    if kind in ("vm", "console"):
        if one.row == plan.guest:
            return True
        host = fleet.done.host_at(fleet.layout, one.row, one.slot)
    else:
        host = one.row
    return host == plan.host or plan.kind.target == "site"
