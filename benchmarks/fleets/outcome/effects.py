"""What a fault does to the metrics, measured against the same fleet without faults."""

from dataclasses import dataclass

import numpy as np

from fleets.faults import Symptom
from fleets.faults.schedule import Plan
from fleets.life.operations import Scene
from fleets.physics.world import Readings
from fleets.site.clock import Axis
from fleets.site.entities import kind_of, rows_of
from fleets.site.layout import Layout
from fleets.site.streams import Floats

__all__ = ["Effect", "accepted", "culprit", "effects_of", "scale_of"]

CLEAR = 3.0
"""Robust standard deviations from which a shift can be seen."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A symptom as it came out: median shift in robust standard deviations, and the first slot it can be seen.

    The shift is over the slots in which the fault is active, of a ramp over the last tenth of them.
    """

    entity: str
    metric: str
    worse: str
    shift: float
    seen_from: int | None


def culprit(layout: Layout, plan: Plan) -> str:
    """The entity at fault."""
    host = layout.hosts[plan.host]
    if plan.kind.target in ("vm", "console"):
        guest = layout.guests[plan.guest]
        return guest.name if plan.kind.target == "vm" else guest.console
    return {"disk": host.disk, "path": host.path, "interface": host.interface, "link": host.link}.get(
        plan.kind.target, host.name
    )


def accepted(layout: Layout, plan: Plan) -> list[str]:
    """Entities that name the fault as well: a part and its only owner, a guest and its console, all hosts of a site."""
    host, names = layout.hosts[plan.host], [culprit(layout, plan)]
    if plan.kind.target in ("vm", "console"):
        guest = layout.guests[plan.guest]
        names += [guest.name, guest.console]
        if plan.kind.cause == "CONT-10":
            names += [host.name, host.disk]
    elif plan.kind.target == "site":
        hosts = [other for other in layout.hosts if other.site == host.site]
        names += [name for other in hosts for name in (other.name, other.link)]
        names += [g.console for g in layout.guests if layout.hosts[g.host].site == host.site]
        names.append(host.site)
    elif plan.kind.target == "host":
        names.append(host.name)
        if plan.kind.cause == "CONT-07":
            names.append(host.disk)
    else:
        names.append(host.name)
        if plan.kind.name == "path-dead":
            names.append(host.interface)
    return list(dict.fromkeys(names))


def scale_of(values: Floats, axis: Axis) -> float:
    """Robust standard deviation of a healthy series about its median at the hour, floored by 0.5 % of its level."""
    known = np.isfinite(values)
    if not known.any():
        return 1.0
    bins = axis.hour[: len(values)].astype(int) + 24 * axis.free[: len(values)]
    away = np.full(len(values), np.nan)
    for group in np.unique(bins):
        own = (bins == group) & known
        if own.any():
            away[own] = np.abs(values[own] - np.median(values[own]))
    middle = float(np.median(values[known]))
    return max(1.4826 * float(np.nanmedian(away)), 0.005 * abs(middle), 1e-3)


def effects_of(scene: Scene, measured: tuple[Readings, Readings], plan: Plan, level: Floats) -> list[Effect]:
    """The symptoms that a fault must show, as they came out. ``measured`` is with and without faults."""
    return [_effect(scene, measured, (plan, level), symptom) for symptom in plan.kind.shows]


def _effect(scene: Scene, measured: tuple[Readings, Readings], fault: tuple[Plan, Floats], symptom: Symptom) -> Effect:
    (found, healthy), (plan, level), axis = measured, fault, scene.axis
    active = np.flatnonzero(level > 0.02) + plan.start
    active = active[active < axis.seen]
    if plan.shape == "ramp":
        active = active[-max(len(active) // 10, 3) :]
    best = Effect(entity="", metric=symptom.metric, worse=symptom.worse, shift=0.0, seen_from=None)
    sign = 1 if symptom.worse == "up" else -1
    for entity, row in _rows(scene, plan, symptom):
        usual = healthy[symptom.metric][row, : axis.seen]
        scale = scale_of(usual, axis)
        moved = sign * (found[symptom.metric][row] - healthy[symptom.metric][row]) / scale
        shift = float(np.nanmedian(moved[active])) if np.isfinite(moved[active]).any() else 0.0
        if shift > best.shift or not best.entity:
            late = _first(moved[plan.start : min(plan.end, axis.seen)])
            seen = None if late is None else plan.start + late
            best = Effect(
                entity=entity, metric=symptom.metric, worse=symptom.worse, shift=min(shift, 999.0), seen_from=seen
            )
    return best


def _first(moved: Floats) -> int | None:
    """The first slot from which three of five are clearly moved."""
    clear = (np.nan_to_num(moved) > CLEAR).astype(int)
    five = np.convolve(clear, np.ones(5, int))[: len(clear)]
    places = np.flatnonzero((five >= min(3, len(clear))) & (clear > 0))
    return int(max(places[0] - 2, 0)) if len(places) else None


def _rows(scene: Scene, plan: Plan, symptom: Symptom) -> list[tuple[str, int]]:
    guests = scene.guests_at(plan.host, plan.start)
    kind = kind_of(symptom.metric)
    if symptom.where in ("neighbours", "guests", "consoles"):
        chosen = [g for g in guests if g != plan.guest]
        return rows_of(scene.layout, plan.host, chosen)[kind]
    return rows_of(scene.layout, plan.host, [plan.guest] if plan.guest >= 0 else guests)[kind]
