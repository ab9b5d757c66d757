"""When which fault strikes whom: a plan for each fault, and its acting upon the levers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fleets.faults import KINDS, FaultKind, Impact
from fleets.life.events import Event
from fleets.life.operations import Scene, restart_guest
from fleets.physics.world import Readings
from fleets.site.clock import Axis
from fleets.site.levers import Levers
from fleets.site.streams import Floats, Streams, smooth

__all__ = ["MODES", "Mode", "Plan", "act", "plan_faults"]

MARGIN_S = 5400
"""Time around an operation on the same entity in which no fault begins or ends."""
TOGETHER = 2
"""Faults on one host at once, at most."""


SEVERITIES = ((0.05, 0.3), (0.4, 0.75), (0.75, 1.0))
"""Faint, moderate and strong."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """What a fleet is for: kinds of fault, the share that goes on at the end, how much weeks differ, severities."""

    kinds: tuple[str, ...]
    ongoing: float = 0.2
    longest_h: float = 400
    severity: tuple[float, float] | None = None
    weekly: float = 1.0


RAMPS = ("guest-leak", "pool-fills", "conntrack-fills", "host-swaps", "qemu-leak", "sessions-pile-up")
MODES = {
    "mixed": Mode(kinds=tuple(KINDS)),
    "ramps": Mode(kinds=(*RAMPS[:4], "guest-leak", "pool-fills", *RAMPS), ongoing=0.45, severity=(0.5, 1.0)),
    "one-offs": Mode(kinds=tuple(n for n, k in KINDS.items() if "ramp" not in k.shapes[0]), ongoing=0, longest_h=6),
    "healthy": Mode(kinds=()),
    "weekly": Mode(kinds=tuple(KINDS), weekly=1.6),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One fault: its kind, host and guest (-1 where it has none), slots, shape and severity 0.05 to 1."""

    id: str
    kind: FaultKind
    host: int
    guest: int
    start: int
    end: int
    shape: str
    severity: float


def plan_faults(scene: Scene, streams: Streams, *, number: int, mode: Mode) -> list[Plan]:
    """Draw faults; each kind once before any comes again, as far as the fleet has what it needs."""
    rng = streams.of("faults")
    plans: list[Plan] = []
    for name in _names(rng, mode, number):
        for _ in range(60):
            plan = _draw(scene, rng, KINDS[name], mode, f"f{len(plans) + 1:02d}")
            if plan is not None and not _collides(scene, plans, plan):
                plans.append(plan)
                break
        if len(plans) == number:
            break
    return sorted(plans, key=lambda plan: plan.start)


def _names(rng: np.random.Generator, mode: Mode, number: int) -> Iterator[str]:
    if mode.kinds:
        for _ in range(2 + 2 * number // len(mode.kinds)):
            yield from (str(name) for name in rng.permutation(mode.kinds))


def _draw(scene: Scene, rng: np.random.Generator, kind: FaultKind, mode: Mode, name: str) -> Plan | None:
    axis = scene.axis
    shortest, longest = kind.hours
    hours = float(np.exp(rng.uniform(np.log(shortest), np.log(max(min(longest, mode.longest_h), shortest)))))
    length = min(axis.span(3600 * hours), int(0.55 * axis.seen))
    if rng.random() < mode.ongoing:
        start = axis.seen - int(rng.uniform(0.3, 0.9) * length) - axis.span(900)
        end = axis.slots
        length = axis.slots - start if not kind.ramp else length
    else:
        first = 0.1 if rng.random() < 0.1 else 0.36
        latest = axis.seen - length - axis.span(1800)
        if latest <= first * axis.seen:
            return None
        start = int(rng.uniform(first * axis.seen, latest))
        end = start + length
    host, guest = _victim(scene, rng, kind, start)
    if host < 0:
        return None
    shape = str(rng.choice(kind.shapes))
    if shape == "intermittent" and hours < 2:
        shape = kind.shapes[0]
    drawn = SEVERITIES[int(rng.choice(len(SEVERITIES), p=[0.15, 0.35, 0.5]))]
    severity = float(rng.uniform(*(mode.severity or drawn)))
    return Plan(id=name, kind=kind, host=host, guest=guest, start=start, end=end, shape=shape, severity=severity)


def _victim(scene: Scene, rng: np.random.Generator, kind: FaultKind, start: int) -> tuple[int, int]:
    layout = scene.layout
    if kind.target in ("vm", "console"):
        fit = [g for g, guest in enumerate(layout.guests) if not kind.fits or guest.role in kind.fits]
        if not fit:
            return -1, -1
        guest = int(rng.choice(fit))
        return scene.done.host_at(layout, guest, start), guest
    fit = [h for h, host in enumerate(layout.hosts) if not kind.fits or host.medium in kind.fits]
    return (int(rng.choice(fit)), -1) if fit else (-1, -1)


def _collides(scene: Scene, plans: Sequence[Plan], plan: Plan) -> bool:
    """Whether an operation on the same entity, or too many or the same faults, are too near."""
    layout, axis, done = scene.layout, scene.axis, scene.done
    margin = axis.span(MARGIN_S)
    names = {layout.hosts[plan.host].name} if plan.guest < 0 else {layout.guests[plan.guest].name}
    if plan.guest >= 0:
        names |= {layout.hosts[plan.host].name}
        names |= {e.target for e in done.events if e.kind == "renamed" and e.source in names}
    if any(event.entity in names and _disturbs(event, plan, margin) for event in done.events):
        return True
    near_plans = [p for p in plans if p.start - margin < plan.end and plan.start < p.end + margin]
    if any(p.guest == plan.guest >= 0 for p in near_plans):
        return True
    if any(p.host == plan.host and p.kind.name == plan.kind.name for p in near_plans):
        return True
    return sum(p.host == plan.host for p in near_plans) >= TOGETHER


def _disturbs(event: Event, plan: Plan, margin: int) -> bool:
    """Whether an event hides a fault's begin, ends it, or takes its victim away."""
    if event.kind in ("new", "renamed"):
        return plan.start < event.end + margin
    if event.kind == "removed":
        return plan.end > event.start
    end = plan.start if event.kind in ("gap", "probe-outage", "clock-set") else plan.end
    return event.start - margin < end + margin and plan.start < event.end + margin


def course(plan: Plan, axis: Axis, rng: np.random.Generator) -> Floats:
    """The level of a fault ``[slot]`` from 0 to its severity."""
    length = plan.end - plan.start
    level = np.ones(length, np.float32)
    if plan.shape == "ramp":
        due = length if plan.end < axis.slots or not plan.kind.ramp else max(_due(plan, axis), 2)
        level = np.minimum(np.arange(1, length + 1, dtype=np.float32) / due, 1)
        if not plan.kind.ramp:
            level = np.minimum(level * 2.2, 1)
    elif plan.shape == "intermittent":
        level = np.zeros(length, np.float32)
        place = 0
        while place < length:
            on = axis.span(rng.uniform(900, 3600))
            level[place : place + on] = 1
            place += on + axis.span(rng.uniform(600, 2400))
    sway = 1 if plan.kind.ramp else 1 + 0.06 * smooth(rng, (1, length), tau_s=900, interval_s=axis.interval_s)[0]
    return np.clip(plan.severity * level * sway, 0, 1).astype(np.float32)


def _due(plan: Plan, axis: Axis) -> int:
    """Slots after which a ramp that goes on at the end of the data is complete: some time after it."""
    return int((axis.seen - plan.start) * 1.25) + axis.span(3 * 3600)


def act(scene: Scene, streams: Streams, levers: Levers, healthy: Readings, plans: Sequence[Plan]) -> list[Floats]:
    """Let all faults act; returns the course of each one. ``healthy`` are the metrics without faults."""
    layout, axis = scene.layout, scene.axis
    courses = []
    for plan in plans:
        rng = streams.of(f"fault {plan.id}")
        level = course(plan, axis, rng)
        if plan.kind.restarts:
            restart_guest(layout, axis, levers, scene.done, (plan.guest, plan.start - axis.span(300)))
        plan.kind.act(
            Impact(
                layout=layout, axis=axis, levers=levers, healthy=healthy, rng=rng, host=plan.host, guest=plan.guest,
                when=slice(plan.start, plan.end), level=level, severity=plan.severity,
            )
        )  # fmt: skip
        courses.append(level)
    return courses
