"""Metrics: what a column of a panel means."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brownout.domain.definitions import Definition, read_definitions
from brownout.domain.entities import NAMED_KINDS

__all__ = [
    "Catalogue",
    "Family",
    "Metric",
    "MetricKind",
    "Role",
    "SpreadFloor",
    "Worse",
    "shipped_catalogue",
]


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
    evidence_only
        Whether it speaks in a diagnosis only, and no anomalies are looked for in it.
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
    evidence_only: bool = False
    entity_kinds: tuple[str, ...] = ()
    source: str = ""

    @property
    def label(self) -> str:
        """Title for people, or the name where there is none."""
        return self.title or self.name

    @property
    def is_limited(self) -> bool:
        """Whether the metric has a limit and a direction in which it is crossed."""
        return self.limit is not None and self.worse is not Worse.NONE

    def worsens(self, deviation: float) -> bool:
        """Whether a move in the direction of a deviation is for the worse; where nobody says which side is, it is."""
        return self.worse is Worse.NONE or (deviation > 0) is (self.worse is Worse.UP)

    @property
    def follows_demand(self) -> bool:
        """Whether the metric is what is asked of a CPU or a screen at the time."""
        return self.family in {Family.CPU, Family.CONSOLE, Family.DISPLAY}

    @property
    def fills_up(self) -> bool:
        """Whether a rise may go on: stores and tables fill up; CPU use, latencies and errors follow what goes on."""
        return not self.follows_demand and self.role not in {Role.LATENCY, Role.ERRORS}

    @property
    def is_console_latency(self) -> bool:
        """Whether the metric is how long a person at a console waits."""
        return self.family is Family.CONSOLE and self.role is Role.LATENCY

    def exceeds(self, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each value is beyond the limit, in the direction that is worse: the shape of the values.

        A value at the limit is not beyond it, nor is one that was not measured (NaN), nor any of a metric without a
        limit or a direction. Values are compared in their own precision.
        """
        array = np.asarray(values)
        if self.limit is None or self.worse is Worse.NONE:
            return np.zeros(array.shape, bool)
        beyond: npt.NDArray[np.bool_] = array > self.limit if self.worse is Worse.UP else array < self.limit
        return beyond

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, Any], *, file: Path = Path("dataset.toml")) -> Self:
        """Build from a table ``[metrics.NAME]`` of a file; unknown keys and values are errors."""
        return cls.from_definition(Definition(section="metrics", id=name, fields=table, file=file))

    @classmethod
    def from_definition(cls, definition: Definition) -> Self:
        """Build from a definition; unknown keys and values are errors."""
        converters: Mapping[str, Callable[[Any], Any]] = {
            "entity_kinds": tuple,
            "evidence_only": _flag,
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


def _flag(value: object) -> bool:
    """True or false as TOML writes them; a word in quotes would always be true."""
    if not isinstance(value, bool):
        raise TypeError("it is neither true nor false")
    return value


CHOICES: Mapping[str, type[StrEnum]] = {"kind": MetricKind, "family": Family, "role": Role, "worse": Worse}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadFloor:
    """The least spread that deviations of some metrics are measured in: smaller movements are nobody's incident.

    It holds for metrics of the unit, family and role stated, each "" for any. ``detection`` is the floor where
    anomalies are looked for, ``diagnosis`` where evidence is weighed, both in the metric's unit; None where it says
    nothing.
    """

    unit: str = ""
    family: str = ""
    role: str = ""
    detection: float | None = None
    diagnosis: float | None = None

    def covers(self, metric: Metric) -> bool:
        """Whether the floor holds for a metric."""
        return self.unit in {"", metric.unit} and self.family in {"", metric.family} and self.role in {"", metric.role}

    @classmethod
    def from_definition(cls, definition: Definition) -> Self:
        """Build from a table ``[spread_floors.ID]``; unknown keys, families and roles are errors."""
        definition.check_keys(cls.__dataclass_fields__)
        table = definition.fields
        for key, choices in (("family", Family), ("role", Role)):
            if table.get(key, "") and table[key] not in list(choices):
                raise definition.unknown(key, table[key], choices)
        return cls(**table)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics brownout knows by name, in the order of the file.

    Attributes
    ----------
    console_latency
        Name of the metric that stands for console latency where one figure is shown.
    spread_floors
        The first one that covers a metric and says something about a purpose holds.
    """

    metrics: Mapping[str, Metric]
    console_latency: str = ""
    spread_floors: tuple[SpreadFloor, ...] = ()

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None) -> Self:
        """Read ``catalogue.toml``: the one that ships with brownout, and a site's own over it.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        metrics = {}
        for name, definition in read_definitions("metrics", site=site, shipped=shipped).items():
            metric = Metric.from_definition(definition)
            for kind in metric.entity_kinds:
                if kind not in NAMED_KINDS:
                    raise definition.unknown("kind of entity", kind, NAMED_KINDS)
            if metric.limit is not None and metric.worse is Worse.NONE:
                raise definition.error(f"limit = {metric.limit:g}, but no direction.", remedy="Say what is worse.")
            if definition.enabled:
                metrics[name] = metric
        floors = read_definitions("spread_floors", site=site, shipped=shipped).values()
        return cls(
            metrics=metrics,
            console_latency=_console_latency(metrics, site, shipped),
            spread_floors=tuple(SpreadFloor.from_definition(floor) for floor in floors if floor.enabled),
        )

    def of_kind(self, entity_kind: str) -> tuple[Metric, ...]:
        """Metrics that entities of a kind carry."""
        return tuple(m for m in self.metrics.values() if not m.entity_kinds or entity_kind in m.entity_kinds)

    def select(self, names: Iterable[str]) -> tuple[Metric, ...]:
        """Metrics by name; a name that is not in the catalogue becomes a metric of unknown role."""
        return tuple(self.metrics.get(name, Metric(name=name)) for name in names)

    def detection_floor(self, metric: Metric) -> float:
        """Least spread of a metric where anomalies are looked for, 0 where none is stated."""
        return next((f.detection for f in self.spread_floors if f.detection is not None and f.covers(metric)), 0.0)

    def diagnosis_floor(self, metric: Metric) -> float:
        """Least spread of a metric where evidence is weighed, 0 where none is stated."""
        return next((f.diagnosis for f in self.spread_floors if f.diagnosis is not None and f.covers(metric)), 0.0)


def _console_latency(metrics: Mapping[str, Metric], site: Path | None, shipped: Path | None) -> str:
    """Name of the metric that the catalogue shows as console latency, "" where it names none."""
    named = ""
    for name, definition in read_definitions("figures", site=site, shipped=shipped).items():
        if name != "console_latency":
            raise definition.unknown("figure", name, ["console_latency"])
        if definition.fields not in metrics:
            raise definition.unknown("metric", definition.fields, metrics)
        named = str(definition.fields)
    return named


@lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """The catalogue that ships with brownout, read once."""
    return Catalogue.load()
