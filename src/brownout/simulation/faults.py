"""Faults: what each does to the causal inputs. Adding a fault is adding a row to TEMPLATES.

A fault never paints a metric: it changes an input, and the queues do the rest, cascades included. The entity of an
incident is the culprit: the host for what a whole host suffers from, its disk or interface where those are at fault
(the interface stands for the network path to the host), the guest for what one guest does or suffers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from brownout.simulation.load import Array

__all__ = ["TEMPLATES", "Push", "Template", "profile"]

Shape = Literal["step", "ramp", "burst", "growth"]


@dataclass(frozen=True, kw_only=True)
class Push:
    """One input that a fault changes: by ``low`` … ``high`` at severity 0 … 1, added or multiplied."""

    driver: str
    low: float
    high: float
    multiply: bool = False


@dataclass(frozen=True, kw_only=True)
class Template:
    """A kind of fault.

    ``scope`` says which kind of entity is the culprit, ``minutes`` the range of durations, ``weight`` how common it is.
    A ``growth`` starts unnoticed; it is an anomaly from the share ``visible`` of its way on.
    """

    scope: Literal["host", "disk", "path", "interface", "link", "vm"]
    pushes: tuple[Push, ...]
    shapes: tuple[Shape, ...]
    minutes: tuple[float, float]
    weight: float
    visible: float = 0.0


TEMPLATES: Mapping[str, Template] = {
    "HW-01": Template(
        scope="host",
        pushes=(Push(driver="host_cpu_share", low=0.55, high=1.1),),
        shapes=("ramp", "step"),
        minutes=(30, 240),
        weight=7,
    ),
    "CONT-01": Template(
        scope="vm",
        pushes=(Push(driver="cpu", low=0.6, high=0.95), Push(driver="aggressor_cores", low=0.45, high=0.9)),
        shapes=("burst", "step"),
        minutes=(20, 180),
        weight=8,
    ),
    "VIRT-04": Template(
        scope="vm",
        pushes=(Push(driver="quota", low=0.6, high=0.12, multiply=True), Push(driver="throttle", low=8, high=60)),
        shapes=("step",),
        minutes=(60, 600),
        weight=7,
    ),
    "CONT-04": Template(
        scope="host",
        pushes=(Push(driver="host_memory", low=0.36, high=0.5),),
        shapes=("ramp",),
        minutes=(60, 300),
        weight=7,
        visible=0.5,
    ),
    "VIRT-19": Template(
        scope="vm",
        pushes=(Push(driver="balloon", low=0.28, high=0.6),),
        shapes=("step", "ramp"),
        minutes=(60, 480),
        weight=5,
    ),
    "LEAK-01": Template(
        scope="vm",
        pushes=(Push(driver="leak", low=40, high=75),),
        shapes=("growth",),
        minutes=(360, 1440),
        weight=7,
        visible=0.6,
    ),
    "HW-05": Template(
        scope="disk",
        pushes=(Push(driver="disk_load", low=0.85, high=1.2),),
        shapes=("ramp", "burst"),
        minutes=(15, 120),
        weight=5,
    ),
    "CONT-02": Template(
        scope="vm",
        pushes=(Push(driver="aggressor_disk", low=0.85, high=1.25),),
        shapes=("burst", "step"),
        minutes=(15, 120),
        weight=6,
    ),
    "MAINT-02": Template(
        scope="disk",
        pushes=(Push(driver="disk_service", low=25, high=180, multiply=True),),
        shapes=("burst",),
        minutes=(60, 600),
        weight=4,
    ),
    "MAINT-04": Template(
        scope="path",
        pushes=(Push(driver="disk_fill_to", low=86, high=99.5),),
        shapes=("growth",),
        minutes=(1440, 4320),
        weight=2,
        visible=0.7,
    ),
    "NET-01": Template(
        scope="link",
        pushes=(Push(driver="rtt", low=25, high=320),),
        shapes=("step",),
        minutes=(60, 720),
        weight=6,
    ),
    "NET-02": Template(
        scope="interface",
        pushes=(Push(driver="link_load", low=0.88, high=1.25),),
        shapes=("burst", "ramp"),
        minutes=(15, 90),
        weight=6,
    ),
    "NET-03": Template(
        scope="link",
        pushes=(Push(driver="loss", low=0.004, high=0.05), Push(driver="jitter", low=0.5, high=4)),
        shapes=("burst", "step"),
        minutes=(20, 240),
        weight=8,
    ),
    "HW-06": Template(
        scope="vm",
        pushes=(Push(driver="viewers", low=3, high=10), Push(driver="change", low=1.6, high=3.5, multiply=True)),
        shapes=("step",),
        minutes=(30, 240),
        weight=7,
    ),
    "PWR-01": Template(
        scope="host",
        pushes=(Push(driver="clock", low=0.75, high=0.4, multiply=True),),
        shapes=("ramp", "step"),
        minutes=(30, 480),
        weight=4,
    ),
}
"""Severities, durations and mix are modelling assumptions: figures of the right size, never shown to an operator."""


def profile(shape: Shape, length: int, rng: np.random.Generator) -> Array:
    """How far a fault is on its way, 0 … 1 at each of its slots."""
    if shape == "step":
        return np.ones(length)
    if shape == "growth":
        return np.linspace(0, 1, length)
    if shape == "ramp":
        rise = max(length // 3, 1)
        fall = max(length // 8, 1)
        edges = np.append(np.linspace(0.1, 1, rise), np.ones(max(length - rise - fall, 0)))
        return np.append(edges, np.linspace(1, 0.2, fall))[:length]
    on = rng.random(length) < 0.8
    on[: max(length // 6, 1)] = True
    return np.where(on, rng.uniform(0.75, 1.0, length), 0.25)
