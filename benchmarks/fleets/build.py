"""Build a fleet: lay it out, let it want, work, be operated and break, and measure it with and without faults."""

from dataclasses import dataclass, replace

import numpy as np

from fleets.faults.schedule import MODES, Plan, act, plan_faults
from fleets.life.events import Event
from fleets.life.jobs import run_jobs
from fleets.life.operations import Operations, Scene, operate
from fleets.physics import Readings, World, measure
from fleets.site.clock import DAY_S, Axis
from fleets.site.demand import demand_of
from fleets.site.layout import Layout, lay_out
from fleets.site.levers import Levers
from fleets.site.streams import Floats, Streams

__all__ = ["Fleet", "Order", "build"]

AHEAD_DAYS = 2
"""Days after the end of the data that only the truth knows: what a last night's forecast is judged by."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to build."""

    seed: int
    hosts: int = 4
    vms: int = 24
    days: float = 14
    interval_s: int = 60
    faults: int = 12
    mode: str = "mixed"
    kinds: tuple[str, ...] = ()
    severity: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A fleet with its metrics ``[row, slot]``, and the same without faults; ``courses`` are the faults' levels."""

    order: Order
    axis: Axis
    layout: Layout
    done: Operations
    plans: list[Plan]
    courses: list[Floats]
    events: list[Event]
    readings: Readings
    healthy: Readings


def build(order: Order) -> Fleet:
    """Everything of a fleet; the same order gives the same numbers."""
    streams, mode = Streams(order.seed), MODES[order.mode]
    mode = replace(mode, kinds=order.kinds or mode.kinds, severity=order.severity or mode.severity)
    axis = _axis(order, streams)
    layout = lay_out(streams, order.hosts, order.vms)
    levers = Levers(order.hosts, order.vms, axis.slots)
    demand = demand_of(layout, axis, streams, weekly=mode.weekly)
    jobs = run_jobs(layout, axis, streams, levers)
    done = operate(layout, axis, streams, levers)

    def metrics(moved: Levers) -> Readings:
        return measure(
            World(
                axis=axis, layout=layout, streams=streams, demand=demand, levers=moved,
                stays=done.stays(layout, axis.slots), host_starts=done.host_starts, vm_starts=done.vm_starts,
            )
        )  # fmt: skip

    healthy = metrics(levers)
    scene = Scene(layout=layout, axis=axis, done=done)
    plans = plan_faults(scene, streams, number=order.faults, mode=mode)
    broken = levers.copy()
    courses = act(scene, streams, broken, healthy, plans)
    readings = metrics(broken) if plans else healthy
    return Fleet(
        order=order, axis=axis, layout=layout, done=done, plans=plans, courses=courses,
        events=[*jobs, *done.events, *_calendar(axis, layout)], readings=readings, healthy=healthy,
    )  # fmt: skip


def _axis(order: Order, streams: Streams) -> Axis:
    """Time from a Monday to a Sunday drawn; a holiday after the first week; clocks that change in some fleets."""
    rng = streams.of("calendar")
    per_day = DAY_S // order.interval_s
    seen = round(order.days * per_day)
    slots = seen + AHEAD_DAYS * per_day
    start = np.datetime64("2026-02-02", "ms") + np.timedelta64(int(rng.integers(0, 200)) * 24, "h")
    holidays: tuple[int, ...] = ()
    first = int((start.astype("datetime64[D]").astype(int) + 3) % 7)
    working = [day for day in range(8, int(order.days)) if (first + day) % 7 < 5]
    if working and (order.mode == "weekly" or rng.random() < 0.5):
        holidays = (int(rng.choice(working)),)
    shift = None
    if order.days >= 10 and rng.random() < 0.4:
        shift = int(rng.uniform(0.5, 0.9) * seen)
    return Axis(
        start=start, interval_s=order.interval_s, seen=seen, slots=slots, zone_h=float(rng.choice([0, 1, 8, -5])),
        shift_slot=shift, shift_h=float(rng.choice([-1, 1])), holidays=holidays,
    )  # fmt: skip


def _calendar(axis: Axis, layout: Layout) -> list[Event]:
    """Holidays and changes of the clocks, of the whole site."""
    events = []
    for day in axis.holidays:
        places = np.flatnonzero(axis.day == day)
        events += [
            Event(kind="holiday", entity=host.name, start=int(places[0]), end=int(places[-1]) + 1)
            for host in layout.hosts
        ]
    if axis.shift_slot is not None:
        end = min(axis.shift_slot + axis.span(2 * DAY_S), axis.slots)
        events += [Event(kind="clocks-changed", entity=h.name, start=axis.shift_slot, end=end) for h in layout.hosts]
    return events
