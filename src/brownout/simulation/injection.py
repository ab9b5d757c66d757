"""Injecting faults: when, where, how bad; and what is true about them."""

from dataclasses import dataclass

import numpy as np

from brownout.domain.errors import SettingsError
from brownout.domain.truth import Anomaly, Incident
from brownout.simulation.drivers import Drivers
from brownout.simulation.faults import TEMPLATES, Push, Template, profile
from brownout.simulation.layout import MEDIA, Layout
from brownout.simulation.settings import FleetSettings

__all__ = ["Injection", "inject"]

QUIET_HOURS = 4.0
"""Least time between two incidents on a host, so that labels do not mix."""
LEAD_SHARE = 0.25
"""Share of the data before the first incident, for something to learn from."""
SLOW = ("LEAK-01", "MAINT-04")
"""Faults that can still be growing when the data ends."""
TRIES = 200


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A fault in place: slots ``first`` until before ``last``, ``visible`` the first that an observer could see."""

    cause: str
    host: int
    vm: int
    first: int
    last: int
    visible: int
    severity: float


def inject(settings: FleetSettings, layout: Layout, drivers: Drivers, rng: np.random.Generator) -> list[Injection]:
    """Change the drivers by all faults asked for; raises SettingsError where they do not fit into the data."""
    names = [name for name in settings.only_causes or TEMPLATES if name not in settings.exclude_causes]
    unknown = sorted((set(settings.only_causes) | set(settings.exclude_causes)) - set(TEMPLATES))
    if unknown or (not names and settings.faults):
        msg = f"Causes {unknown} cannot be simulated." if unknown else "All causes are excluded."
        raise SettingsError(msg, remedy=f"Choose from {', '.join(TEMPLATES)}.")
    placed: list[Injection] = []
    for number in range(settings.ongoing + settings.faults):
        ongoing = number < settings.ongoing
        candidates = [name for name in names if not ongoing or name in SLOW] or list(SLOW)
        injection = _place(settings, layout, placed, rng, candidates=candidates, ongoing=ongoing)
        _apply(TEMPLATES[injection.cause], injection, layout, drivers, rng)
        placed.append(injection)
    return sorted(placed, key=lambda injection: injection.first)


def _place(  # noqa: PLR0913 - what a place depends on
    settings: FleetSettings,
    layout: Layout,
    placed: list[Injection],
    rng: np.random.Generator,
    *,
    candidates: list[str],
    ongoing: bool,
) -> Injection:
    """Find a host that is quiet for long enough."""
    quiet = QUIET_HOURS * 3600 / settings.interval_s
    for _ in range(TRIES):
        new = _draw(settings, layout, rng, candidates=candidates, ongoing=ongoing)
        others = [other for other in placed if other.host == new.host]
        if all(new.first >= other.last + quiet or new.last + quiet <= other.first for other in others):
            return new
    number = settings.faults + settings.ongoing
    msg = f"{number} incidents do not fit into {settings.days} days on {settings.hosts} hosts."
    raise SettingsError(msg, remedy="Ask for fewer faults, more hosts or more days.")


def _draw(
    settings: FleetSettings, layout: Layout, rng: np.random.Generator, *, candidates: list[str], ongoing: bool
) -> Injection:
    """Draw a fault; an ongoing one has 60 to 75 % of its way behind it when the data ends."""
    weights = np.array([TEMPLATES[name].weight for name in candidates])
    cause = candidates[rng.choice(len(candidates), p=weights / weights.sum())]
    template = TEMPLATES[cause]
    slots = int(np.exp(rng.uniform(*np.log(template.minutes))) * 60 / settings.interval_s)
    slots = max(min(slots, settings.slots // 3), 2)
    earliest = int(LEAD_SHARE * settings.slots)
    first = int(rng.integers(earliest, max(settings.slots - slots, earliest + 1)))
    if ongoing:
        first = settings.slots - int(rng.uniform(0.6, 0.75) * slots)
    vm = int(rng.integers(len(layout.vcpus)))
    return Injection(
        cause=cause,
        host=int(layout.host[vm]),
        vm=vm,
        first=first,
        last=first + slots,
        visible=first + int(template.visible * slots),
        severity=float(rng.uniform(0.5, 0.9)) if ongoing else float(rng.beta(1.6, 1.2)),
    )


def _apply(
    template: Template, injection: Injection, layout: Layout, drivers: Drivers, rng: np.random.Generator
) -> None:
    shape = template.shapes[rng.integers(len(template.shapes))]
    way = profile(shape, injection.last - injection.first, rng)[: drivers.cpu.shape[1] - injection.first]
    for push in template.pushes:
        _push(push, injection, way, layout, drivers)


def _push(push: Push, injection: Injection, way: np.ndarray, layout: Layout, drivers: Drivers) -> None:
    """Change one input; pushes that depend on the size of the host are turned into inputs here."""
    size = push.low + (push.high - push.low) * injection.severity
    span = slice(injection.first, injection.last)
    host, vm = injection.host, injection.vm
    if push.driver == "host_cpu_share":
        drivers.host_cpu[host, span] += size * way * layout.cores[host]
    elif push.driver == "aggressor_cores":
        # The guest's own demand is capped by its vCPUs; what its threads in QEMU and vhost burn comes on top.
        drivers.host_cpu[host, span] += size * way * layout.cores[host] * 0.8
    elif push.driver == "aggressor_disk":
        medium = MEDIA[layout.medium[host]]
        capacity = medium.servers / medium.service_ms * 1000
        drivers.io[vm, span] += size * way * capacity / 20
    elif push.driver == "disk_fill_to":
        drivers.disk_fill[host, span] += max(size - layout.disk_used[host], 0) * way
    else:
        target = getattr(drivers, push.driver)
        row = vm if push.driver in GUEST_DRIVERS else host
        if push.multiply:
            target[row, span] *= 1 + (size - 1) * way
        else:
            target[row, span] += size * way


GUEST_DRIVERS = {"cpu", "quota", "leak", "balloon", "io", "viewers", "change", "throttle"}


def truth(
    injections: list[Injection], settings: FleetSettings, layout: Layout
) -> tuple[tuple[Incident, ...], tuple[Anomaly, ...]]:
    """Labels of what was injected; an anomaly starts where it becomes visible."""
    step = np.timedelta64(settings.interval_s * 1000, "ms")
    incidents, anomalies = [], []
    seen = [injection for injection in injections if injection.visible < settings.slots]
    for number, injection in enumerate(seen):
        entity = _culprit(injection, layout)
        start, end = (
            settings.start + injection.visible * step,
            settings.start + min(injection.last, settings.slots) * step,
        )
        incidents.append(
            Incident(
                id=f"incident-{number + 1:03d}", group="", start=start, end=end, entity=entity, cause=injection.cause
            )
        )
        anomalies.append(Anomaly(entity=entity, start=start, end=end))
    return tuple(incidents), tuple(anomalies)


def _culprit(injection: Injection, layout: Layout) -> str:
    scope = TEMPLATES[injection.cause].scope
    host = layout.host_names[injection.host]
    if scope == "host":
        return host
    if scope == "vm":
        return layout.vm_names[injection.vm]
    return layout.entities()[scope][injection.host].id
