"""Injecting faults: what each does to the causal inputs, and what is true about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.truth import Anomaly, Incident
from brownout.simulation.events.fault_definitions import Push, Template, profile
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import MEDIA, Layout
from brownout.simulation.physics.drivers import Drivers, within
from brownout.simulation.physics.load import Array

__all__ = ["Injection", "apply", "truth"]


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A fault in place: slots ``first`` until before ``last``, ``visible`` the first that an observer could see.

    ``seed`` draws what is left to chance of its way; ``strength`` is 1 but for faint faults, whose severity is 0.
    """

    cause: str
    host: int
    vm: int
    first: int
    last: int
    visible: int
    severity: float
    seed: int
    strength: float = 1.0


def apply(injection: Injection, template: Template, layout: Layout, drivers: Drivers) -> None:
    """Change the drivers by one fault, which counts hosts, guests and slots as they and the layout do."""
    rng = np.random.default_rng(injection.seed)
    shape = template.shapes[rng.integers(len(template.shapes))]
    way = profile(shape, injection.last - injection.first, rng) * injection.strength
    span = within(injection.first, injection.last, drivers)
    if span.start == span.stop:
        return
    way = way[span.start - injection.first : span.stop - injection.first]
    for push in template.pushes:
        _push(push, injection, (span, way), layout, drivers)
    if template.restart and injection.first >= 0:
        drivers.target("guest_restart", layout)[injection.vm, injection.first] = 1


def _push(push: Push, injection: Injection, course: tuple[slice, Array], layout: Layout, drivers: Drivers) -> None:
    """Change one input over a span; pushes that depend on the size of the host are turned into inputs here."""
    size = push.low + (push.high - push.low) * injection.severity
    span, way = course
    host, vm = injection.host, injection.vm
    medium = MEDIA[layout.medium[host]]
    if push.driver == "host_cpu_share":
        drivers.host_cpu[host, span] += size * way * layout.cores[host]
    elif push.driver == "aggressor_disk":
        drivers.target("guest_iops", layout)[vm, span] += size * way * medium.servers / medium.service_ms * 1000
    elif push.driver == "aggressor_net":
        drivers.target("guest_net_kbs", layout)[vm, span] += size * way * layout.speed[host]
    elif push.driver == "disk_fill_to":
        drivers.disk_fill[host, span] += max(size - layout.disk_used[host], 0) * way
    else:
        name = push.driver.removeprefix("all_")
        everyone = np.flatnonzero(layout.hosts_at(injection.first) == host)
        rows = everyone if name != push.driver else np.array([vm if drivers.known[name].on == "guest" else host])
        target = drivers.target(name, layout)
        if push.multiply:
            target[rows, span] *= 1 + (size - 1) * way
        else:
            target[rows, span] += size * way


def truth(
    injections: Sequence[Injection], faults: Mapping[str, Template], settings: FleetSettings, layout: Layout
) -> tuple[tuple[Incident, ...], tuple[Anomaly, ...]]:
    """Labels of what was injected; an anomaly starts where it becomes visible."""
    step = np.timedelta64(settings.interval_s * 1000, "ms")
    incidents, anomalies = [], []
    visible = [injection for injection in injections if injection.visible < settings.slots]
    for number, injection in enumerate(visible, 1):
        entity = _culprit(injection, faults[injection.cause], layout)
        start = settings.start + injection.visible * step
        end = settings.start + min(injection.last, settings.slots) * step
        incidents.append(
            Incident(
                id=f"incident-{number:03d}",
                group=layout.host_names[injection.host],
                start=start,
                end=end,
                entity=entity,
                cause=injection.cause,
                onset=settings.start + max(injection.first, 0) * step,
            )
        )
        anomalies.append(Anomaly(entity=entity, start=start, end=end))
    return tuple(incidents), tuple(anomalies)


def _culprit(injection: Injection, template: Template, layout: Layout) -> str:
    host = layout.host_names[injection.host]
    if template.scope == "host":
        return host
    if template.scope == "vm":
        return layout.vm_names[injection.vm]
    return layout.entities()[template.scope][injection.host].id
