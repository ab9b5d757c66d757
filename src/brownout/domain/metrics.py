"""Metrics: what a column of a panel means."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from brownout.domain.definitions import definitions_folder
from brownout.domain.errors import KnowledgeError

__all__ = ["Catalogue", "Family", "Metric", "MetricKind", "Role", "Worse"]


class Family(StrEnum):
    """The resource a metric or a cause belongs to."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    DISPLAY = "display"
    CONSOLE = "console"
    OTHER = "other"


class Role(StrEnum):
    """What a metric plays in a diagnosis, whatever its collector called it."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK_READ = "disk_read"
    DISK_WRITE = "disk_write"
    NETWORK_IN = "network_in"
    NETWORK_OUT = "network_out"
    LATENCY = "latency"
    LOAD = "load"
    ERRORS = "errors"
    REQUESTS = "requests"
    UNKNOWN = "unknown"


class MetricKind(StrEnum):
    """A gauge is used as it is; a counter becomes a rate a second at the edge."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Worse(StrEnum):
    """The direction in which a metric gets worse."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


FAMILY_OF_ROLE: Mapping[Role, Family] = {
    Role.CPU: Family.CPU,
    Role.MEMORY: Family.MEMORY,
    Role.DISK_READ: Family.DISK,
    Role.DISK_WRITE: Family.DISK,
    Role.NETWORK_IN: Family.NETWORK,
    Role.NETWORK_OUT: Family.NETWORK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One column of a panel.

    Attributes
    ----------
    name
        Canonical name; carries the unit as its suffix where the catalogue defines it.
    title
        What it is called, for people.
    unit
        Unit of the values of a panel, for people; "" for a ratio or count.
    kind
        Whether its collector writes a gauge or a counter.
    family
        The resource that it belongs to.
    role
        What it plays in a diagnosis, whatever its collector called it.
    lower, upper
        Values outside are impossible and are dropped as repairs.
    capacity
        The value at which the resource is used up, for percentages 100; None where there is none.
    limit
        The line whose crossing is a breach, in the direction ``worse``; None where none is known.
    worse
        The direction in which it gets worse: up, down or none.
    entity_kinds
        Kinds of entity that carry the metric; empty for any.
    source
        Where a collector has it from, e.g. ``cpu.usage_idle`` of Telegraf.
    """

    name: str
    title: str = ""
    unit: str = ""
    kind: MetricKind = MetricKind.GAUGE
    family: Family = Family.OTHER
    role: Role = Role.UNKNOWN
    lower: float = -math.inf
    upper: float = math.inf
    capacity: float | None = None
    limit: float | None = None
    worse: Worse = Worse.NONE
    entity_kinds: tuple[str, ...] = ()
    source: str = ""

    @property
    def label(self) -> str:
        """Title for people, or the name where there is none."""
        return self.title or self.name

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, Any]) -> Self:
        """Build from a TOML table; unknown keys and values are errors."""
        converters = {
            "kind": MetricKind,
            "family": Family,
            "role": Role,
            "worse": Worse,
            "entity_kinds": tuple,
            **dict.fromkeys(("lower", "upper", "capacity", "limit"), float),
        }
        unknown = sorted(set(table) - set(cls.__dataclass_fields__))
        if unknown:
            msg = f"Metric {name!r} has unknown keys {unknown}."
            raise KnowledgeError(msg, remedy=f"Use only {sorted(set(cls.__dataclass_fields__) - {'name'})}.")
        try:
            fields = {key: converters.get(key, str)(value) for key, value in table.items()}
        except (TypeError, ValueError) as error:
            msg = f"Metric {name!r} cannot be read: {error}."
            raise KnowledgeError(msg, remedy="Correct the value in its TOML table.") from error
        if "role" in fields and "family" not in fields:
            fields["family"] = FAMILY_OF_ROLE.get(fields["role"], Family.OTHER)
        return cls(name=name, **fields)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics brownout knows by name, in the order of the file."""

    metrics: Mapping[str, Metric]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read ``catalogue.toml``, by default the one that ships with brownout."""
        path = path or definitions_folder() / "catalogue.toml"
        with path.open("rb") as file:
            tables = tomllib.load(file)
        return cls({name: Metric.from_table(name, table) for name, table in tables["metrics"].items()})

    def of_kind(self, entity_kind: str) -> tuple[Metric, ...]:
        """Metrics that entities of a kind carry."""
        return tuple(m for m in self.metrics.values() if not m.entity_kinds or entity_kind in m.entity_kinds)

    def select(self, names: Iterable[str]) -> tuple[Metric, ...]:
        """Metrics by name; a name that is not in the catalogue becomes a metric of unknown role."""
        return tuple(self.metrics.get(name, Metric(name=name)) for name in names)
