"""Metrics: what a column of a panel means."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from brownout.domain.definitions import ENTITY_KINDS, Definition, read_definitions

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
    unit
        Unit of the values of a panel, for people; "" for a ratio or count.
    lower, upper
        Values outside are impossible and are dropped as repairs.
    capacity
        The value at which the resource is used up, for percentages 100; None where there is none.
    limit
        The line whose crossing is a breach, in the direction ``worse``; None where none is known.
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
    def from_table(cls, name: str, table: Mapping[str, Any], *, file: Path = Path("dataset.toml")) -> Self:
        """Build from a table ``[metrics.NAME]`` of a file; unknown keys and values are errors."""
        return cls.from_definition(Definition(section="metrics", id=name, fields=table, file=file))

    @classmethod
    def from_definition(cls, definition: Definition) -> Self:
        """Build from a definition; unknown keys and values are errors."""
        converters: Mapping[str, Callable[[Any], Any]] = {
            "entity_kinds": tuple,
            **dict.fromkeys(("lower", "upper", "capacity", "limit"), float),
        }
        definition.check_keys(key for key in cls.__dataclass_fields__ if key != "name")
        fields: dict[str, Any] = {}
        for key, value in definition.fields.items():
            choices = CHOICES.get(key)
            if choices is not None and value not in list(choices):
                raise definition.unknown(key, value, choices)
            try:
                fields[key] = choices(value) if choices else converters.get(key, str)(value)
            except (TypeError, ValueError) as error:
                what = f"{key} = {value!r} cannot be read: {error}."
                raise definition.error(what, remedy="Correct the value.") from error
        if "role" in fields and "family" not in fields:
            fields["family"] = FAMILY_OF_ROLE.get(fields["role"], Family.OTHER)
        return cls(name=definition.id, **fields)


CHOICES: Mapping[str, type[StrEnum]] = {"kind": MetricKind, "family": Family, "role": Role, "worse": Worse}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics brownout knows by name, in the order of the file."""

    metrics: Mapping[str, Metric]

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None) -> Self:
        """Read ``catalogue.toml``: the one that ships with brownout, and a site's own over it.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        metrics = {}
        for name, definition in read_definitions("metrics", site=site, shipped=shipped).items():
            metric = Metric.from_definition(definition)
            for kind in metric.entity_kinds:
                if kind not in ENTITY_KINDS:
                    raise definition.unknown("kind of entity", kind, ENTITY_KINDS)
            if metric.limit is not None and metric.worse is Worse.NONE:
                raise definition.error(f"limit = {metric.limit:g}, but no direction.", remedy="Say what is worse.")
            if definition.enabled:
                metrics[name] = metric
        return cls(metrics)

    def of_kind(self, entity_kind: str) -> tuple[Metric, ...]:
        """Metrics that entities of a kind carry."""
        return tuple(m for m in self.metrics.values() if not m.entity_kinds or entity_kind in m.entity_kinds)

    def select(self, names: Iterable[str]) -> tuple[Metric, ...]:
        """Metrics by name; a name that is not in the catalogue becomes a metric of unknown role."""
        return tuple(self.metrics.get(name, Metric(name=name)) for name in names)
