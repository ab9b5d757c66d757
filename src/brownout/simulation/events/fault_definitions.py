"""Faults as data: what each does to the causal inputs; see ``models/simulation/faults.toml``.

The entity of an incident is the culprit: the host for what a whole host suffers from, its disk or interface where those
are at fault, the link for the network path to the host, the guest for what one guest does or suffers.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brownout.domain.definitions import definitions_folder
from brownout.domain.errors import KnowledgeError
from brownout.simulation.physics.load import Array

__all__ = ["Push", "Template", "load_templates", "profile"]

Shape = Literal["step", "ramp", "burst", "growth", "saw"]
SEEN = ("host", "vm", "probe")
"""How much has to be measured for a fault to leave a trace, least first."""
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
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    medium: Literal["", "hdd", "solid"] = ""
    protocol: Literal["", "vnc", "spice"] = ""


@cache
def load_templates(folder: Path | None = None) -> Mapping[str, Template]:
    """All kinds of faults by cause; raises KnowledgeError naming the one that is wrong."""
    path = (folder or definitions_folder() / "simulation") / "faults.toml"
    with path.open("rb") as file:
        tables = tomllib.load(file)["faults"]
    return {name: _template(name, table) for name, table in tables.items()}


def _template(name: str, table: Mapping[str, Any]) -> Template:
    try:
        fields = dict(table)
        fields["pushes"] = tuple(
            Push(driver=driver, low=float(low), high=float(high), multiply=how == ["times"])
            for driver, low, high, *how in fields["pushes"]
        )
        fields["labels"] = {key: tuple(values) for key, values in fields.get("labels", {}).items()}
        for key in ("shapes", "minutes"):
            fields[key] = tuple(fields[key])
        template = Template(**fields)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"Fault {name!r} cannot be read: {error!r}."
        raise KnowledgeError(msg, remedy="Correct its table in faults.toml.") from error
    if template.seen not in SEEN:
        raise KnowledgeError(f"Fault {name!r} is seen by {template.seen!r}.", remedy=f"Use one of {SEEN}.")
    return template


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
