"""Faults as data: what each does to the causal inputs; see ``models/simulation/faults.toml``.

The entity of an incident is the culprit: the host for what a whole host suffers from, its disk or interface where those
are at fault, the link for the network path to the host, the guest for what one guest does or suffers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from brownout.domain.definitions import Definition, read_definitions
from brownout.simulation.physics.drivers import Driver
from brownout.simulation.physics.load import Array

__all__ = ["SCALED", "Push", "Template", "profile", "read_faults", "read_plain"]

Shape = Literal["step", "ramp", "burst", "growth", "saw"]
SHAPES = ("step", "ramp", "burst", "growth", "saw")
SCOPES = ("host", "disk", "path", "interface", "link", "vm")
SEEN = ("host", "vm", "probe")
"""How much has to be measured for a fault to leave a trace, least first."""
SCALED = ("host_cpu_share", "aggressor_disk", "aggressor_net", "disk_fill_to")
"""Pushes that depend on the size of the host: they become drivers when the host is known."""
MEDIA_WANTED = ("", "hdd", "solid")
PROTOCOLS = ("", "vnc", "spice")
SAW_SLOTS = 6


@dataclass(frozen=True, kw_only=True)
class Push:
    """One input that a fault changes: by ``low`` … ``high`` at severity 0 … 1, added or multiplied."""

    driver: str
    low: float
    high: float
    multiply: bool = False


@dataclass(frozen=True, kw_only=True)
class Template:
    """A kind of fault; the fields are those of ``faults.toml``."""

    scope: Literal["host", "disk", "path", "interface", "link", "vm"]
    seen: Literal["host", "vm", "probe"]
    pushes: tuple[Push, ...]
    shapes: tuple[Shape, ...]
    minutes: tuple[float, float]
    weight: float
    visible: float = 0.0
    restart: bool = False
    slow: bool = False
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    medium: Literal["", "hdd", "solid"] = ""
    protocol: Literal["", "vnc", "spice"] = ""


REQUIRED = ("scope", "seen", "pushes", "shapes", "minutes", "weight")
CHOICES = {"scope": SCOPES, "seen": SEEN, "medium": MEDIA_WANTED, "protocol": PROTOCOLS}


def read_faults(
    drivers: Mapping[str, Driver], *, site: Path | None = None, shipped: Path | None = None
) -> dict[str, Template]:
    """All kinds of faults by cause; raises KnowledgeError naming file, table and value of what is wrong."""
    causes = read_definitions("causes", site=site, shipped=shipped)
    faults = {}
    for name, definition in read_definitions("faults", site=site, shipped=shipped).items():
        if name not in causes:
            raise definition.unknown("cause", name, causes)
        template = _template(definition, drivers)
        if definition.enabled:
            faults[name] = template
    return faults


def read_plain(faults: Collection[str], *, site: Path | None = None, shipped: Path | None = None) -> tuple[str, ...]:
    """Faults that telemetry without signatures tells apart, in the order in which they are drawn from."""
    plain = []
    for name, definition in read_definitions("plain", site=site, shipped=shipped).items():
        if name not in faults:
            raise definition.unknown("fault", name, faults)
        if definition.fields is True:
            plain.append(name)
    return tuple(plain)


def _template(definition: Definition, drivers: Mapping[str, Driver]) -> Template:
    definition.check_keys(Template.__dataclass_fields__, required=REQUIRED)
    fields = dict(definition.fields)
    for key, allowed in CHOICES.items():
        if fields.get(key, allowed[0]) not in allowed:
            raise definition.unknown(key, fields[key], allowed)
    for shape in fields["shapes"]:
        if shape not in SHAPES:
            raise definition.unknown("shape", shape, SHAPES)
    fields["pushes"] = tuple(_push(definition, push, drivers) for push in fields["pushes"])
    fields["labels"] = {key: tuple(values) for key, values in fields.get("labels", {}).items()}
    for key in ("shapes", "minutes"):
        fields[key] = tuple(fields[key])
    if not fields["pushes"] or not fields["shapes"] or len(fields["minutes"]) != 2:
        what = "it has no pushes, no shapes, or not two minutes."
        raise definition.error(what, remedy="Say what it changes, how, and from how long to how long.")
    return Template(**fields)


def _push(definition: Definition, push: Sequence[object], drivers: Mapping[str, Driver]) -> Push:
    name, *sizes = push
    plain = str(name).removeprefix("all_")
    known = [*drivers, *SCALED, *(f"all_{driver}" for driver, table in drivers.items() if table.on == "guest")]
    if name not in known:
        raise definition.unknown("driver", name, known)
    low, high, *how = sizes if len(sizes) in {2, 3} else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float) or how not in ([], ["times"]):
        what = f"the push {list(push)!r} is not [driver, at severity 0, at severity 1]."
        raise definition.error(what, remedy='Give two numbers, and perhaps "times".')
    factor = plain in drivers and drivers[plain].neutral == 1
    if (how == ["times"]) and not factor:
        what = f"it multiplies {name!r}, which is 0 when nothing is wrong."
        raise definition.error(what, remedy='Leave "times" out, or choose a driver whose neutral value is 1.')
    return Push(driver=str(name), low=float(low), high=float(high), multiply=how == ["times"])


def profile(shape: Shape, length: int, rng: np.random.Generator) -> Array:
    """How far a fault is on its way, 0 … 1 at each of its slots."""
    if shape == "step":
        return np.ones(length)
    if shape == "growth":
        return np.linspace(0, 1, length)
    if shape == "saw":
        return 0.55 + 0.45 * (np.arange(length) % SAW_SLOTS) / (SAW_SLOTS - 1)
    if shape == "ramp":
        rise = max(length // 3, 1)
        fall = max(length // 8, 1)
        edges = np.append(np.linspace(0.1, 1, rise), np.ones(max(length - rise - fall, 0)))
        return np.append(edges, np.linspace(1, 0.2, fall))[:length]
    on = rng.random(length) < 0.8
    on[: max(length // 6, 1)] = True
    return np.where(on, rng.uniform(0.75, 1.0, length), 0.25)
