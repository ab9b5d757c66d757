"""Injecting faults: when, where, how bad; and what is true about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.errors import SettingsError
from brownout.domain.truth import Anomaly, Incident
from brownout.simulation.events.fault_definitions import SEEN, Push, Template, load_templates, profile
from brownout.simulation.events.operations import Background
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import MEDIA, Layout
from brownout.simulation.physics.drivers import Drivers, of_guest, within
from brownout.simulation.physics.load import Array

__all__ = ["PLAIN", "Injection", "apply", "place", "truth"]

QUIET_HOURS = 4.0
"""Least time between two incidents on a host, so that labels do not mix."""
SLOW = ("LEAK-01", "MAINT-04")
"""Faults that can still be growing when the data ends."""
TRIES = 200
FAINT = (0.05, 0.5)
HDD = 2
"""Place of rotational storage among the media."""
PLAIN = (
    "HW-01", "CONT-01", "VIRT-04", "CONT-04", "VIRT-19", "LEAK-01", "HW-05", "CONT-02", "MAINT-02", "MAINT-04",
    "NET-01", "NET-02", "NET-03", "HW-06", "PWR-01",
)  # fmt: skip
"""Faults that plain telemetry, without signatures, tells apart."""
MEASURED = {"host-only": SEEN[:1], "no-probe": SEEN[:2], "full": SEEN}


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


def place(settings: FleetSettings, layout: Layout, background: Background, rng: np.random.Generator) -> list[Injection]:
    """Find a place and a time for all faults asked for, away from what else is done to the fleet.

    Writes down the configuration that they need.

    Raises SettingsError where they do not fit into the data.
    """
    names = _choice(settings)
    slow = [name for name in names if name in SLOW] or list(SLOW)
    others = [name for name in names if name not in SLOW] or slow
    placed: list[Injection] = []
    for number in range(settings.ongoing + settings.faults):
        ongoing = number < settings.ongoing
        candidates = (slow, others)[number % 2] if ongoing else names
        new = _place(settings, layout, (placed, background), rng, candidates=candidates, ongoing=ongoing)
        _configure(new, layout, rng)
        placed.append(new)
        if settings.pairs and not ongoing and rng.random() < settings.pairs:
            placed += _beside(new, settings, layout, (placed, background), rng)
    return sorted(placed, key=lambda injection: injection.first)


def _choice(settings: FleetSettings) -> list[str]:
    """Names of the faults to draw from: those asked for that leave a trace in what is measured."""
    templates = load_templates()
    unknown = sorted((set(settings.only_causes) | set(settings.exclude_causes)) - set(templates))
    if unknown:
        raise SettingsError(f"Causes {unknown} cannot be simulated.", remedy=f"Choose from {', '.join(templates)}.")
    known = templates if settings.signatures else PLAIN
    names = [name for name in settings.only_causes or known if name not in settings.exclude_causes]
    kept = [name for name in names if templates[name].seen in MEASURED[settings.telemetry]]
    if not kept and settings.faults:
        msg = f"None of the causes asked for leaves a trace in {settings.telemetry} telemetry."
        raise SettingsError(msg, remedy="Allow more causes, or measure more.")
    return kept


def _place(  # noqa: PLR0913 - what a place depends on
    settings: FleetSettings,
    layout: Layout,
    there: tuple[Sequence[Injection], Background],
    rng: np.random.Generator,
    *,
    candidates: list[str],
    ongoing: bool,
) -> Injection:
    """Find a host that is quiet for long enough, with what the fault needs."""
    placed, background = there
    quiet = QUIET_HOURS * 3600 / settings.interval_s
    for _ in range(TRIES):
        new = _draw(settings, layout, rng, candidates=candidates, ongoing=ongoing)
        others = [other for other in placed if other.host == new.host]
        apart = all(new.first >= other.last + quiet or new.last + quiet <= other.first for other in others)
        if not apart or background.touches(new.host, new.first, new.last, settings.interval_s):
            continue
        if _suits(load_templates()[new.cause], new, layout, free=not others):
            return new
    number = settings.faults + settings.ongoing
    msg = f"{number} incidents do not fit into {settings.days} days on {settings.hosts} hosts."
    raise SettingsError(msg, remedy="Ask for fewer faults, more hosts or more days.")


def _beside(
    partner: Injection,
    settings: FleetSettings,
    layout: Layout,
    there: tuple[Sequence[Injection], Background],
    rng: np.random.Generator,
) -> list[Injection]:
    """Another fault at the partner's host that begins in the first half of it; none where nothing fits."""
    placed, background = there
    names = [name for name in _choice(settings) if name != partner.cause]
    quiet = QUIET_HOURS * 3600 / settings.interval_s
    others = [other for other in placed if other.host == partner.host and other is not partner]
    length = partner.last - partner.first
    for _ in range(TRIES if names else 0):
        drawn = _draw(settings, layout, rng, candidates=names, ongoing=False)
        shift = partner.first + int(rng.integers(max(length // 2, 1))) - drawn.first
        new = replace(
            drawn,
            host=partner.host,
            vm=int(rng.choice(np.flatnonzero(layout.hosts_at(partner.first) == partner.host))),
            first=drawn.first + shift,
            last=drawn.last + shift,
            visible=drawn.visible + shift,
        )
        both = min(new.last, partner.last) - max(new.visible, partner.visible)
        enough = 2 * both >= min(new.last - new.visible, partner.last - partner.visible)
        apart = all(new.first >= other.last + quiet or new.last + quiet <= other.first for other in others)
        suits = _suits(load_templates()[new.cause], new, layout, free=False)
        calm = not background.touches(new.host, new.first, new.last, settings.interval_s)
        if enough and apart and suits and calm and new.last <= settings.slots:
            _configure(new, layout, rng)
            return [new]
    return []


def _suits(template: Template, new: Injection, layout: Layout, *, free: bool) -> bool:
    """Whether the place has the medium and the protocol that a fault needs, or can still be given them."""
    wrong_protocol = bool(template.protocol) and layout.protocol[new.vm] != template.protocol
    wrong_medium = bool(template.medium) and (layout.medium[new.host] == HDD) != (template.medium == "hdd")
    if (wrong_protocol or wrong_medium) and not free:
        return False
    if wrong_protocol:
        layout.protocol[new.vm] = template.protocol
    if wrong_medium:
        layout.medium[new.host] = HDD if template.medium == "hdd" else 0
    return True


def _configure(new: Injection, layout: Layout, rng: np.random.Generator) -> None:
    """Write the labels of a fault down: the configuration that the culprit has in the end."""
    template = load_templates()[new.cause]
    host = layout.host_names[new.host]
    name = {"vm": layout.vm_names[new.vm], "disk": f"{host}/disk"}.get(template.scope, host)
    for label, values in template.labels.items():
        layout.labels.setdefault(name, {})[label] = str(values[rng.integers(len(values))])


def _draw(
    settings: FleetSettings, layout: Layout, rng: np.random.Generator, *, candidates: list[str], ongoing: bool
) -> Injection:
    """Draw a fault; an ongoing one has 60 to 75 % of its way behind it when the data ends."""
    templates = load_templates()
    weights = np.array([templates[name].weight for name in candidates])
    cause = candidates[rng.choice(len(candidates), p=weights / weights.sum())]
    template = templates[cause]
    slots = int(np.exp(rng.uniform(*np.log(template.minutes))) * 60 / settings.interval_s)
    slots = max(min(slots, settings.slots // 3), 2)
    earliest = int(settings.lead * settings.slots)
    first = int(rng.integers(earliest, max(settings.slots - slots, earliest + 1)))
    if ongoing:
        first = settings.slots - int(rng.uniform(0.6, 0.75) * slots)
    vm = int(rng.integers(len(layout.vcpus)))
    faint = settings.faint > 0 and rng.random() < settings.faint
    severity = float(rng.uniform(0.5, 0.9)) if ongoing else float(rng.beta(1.6, 1.2))
    return Injection(
        cause=cause,
        host=int(layout.hosts_at(first)[vm]),
        vm=vm,
        first=first,
        last=first + slots,
        visible=first + int(template.visible * slots),
        severity=0.0 if faint else severity,
        seed=int(rng.integers(2**31)),
        strength=float(rng.uniform(*FAINT)) if faint else 1.0,
    )


def apply(injection: Injection, layout: Layout, drivers: Drivers) -> None:
    """Change the drivers by one fault, which counts hosts, guests and slots as they and the layout do."""
    template = load_templates()[injection.cause]
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
        rows = everyone if name != push.driver else np.array([vm if of_guest(name) else host])
        target = drivers.target(name, layout)
        if push.multiply:
            target[rows, span] *= 1 + (size - 1) * way
        else:
            target[rows, span] += size * way


def truth(
    injections: Sequence[Injection], settings: FleetSettings, layout: Layout
) -> tuple[tuple[Incident, ...], tuple[Anomaly, ...]]:
    """Labels of what was injected; an anomaly starts where it becomes visible."""
    step = np.timedelta64(settings.interval_s * 1000, "ms")
    incidents, anomalies = [], []
    seen = [injection for injection in injections if injection.visible < settings.slots]
    for number, injection in enumerate(seen, 1):
        entity = _culprit(injection, layout)
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
            )
        )
        anomalies.append(Anomaly(entity=entity, start=start, end=end))
    return tuple(incidents), tuple(anomalies)


def _culprit(injection: Injection, layout: Layout) -> str:
    scope = load_templates()[injection.cause].scope
    host = layout.host_names[injection.host]
    if scope == "host":
        return host
    if scope == "vm":
        return layout.vm_names[injection.vm]
    return layout.entities()[scope][injection.host].id
