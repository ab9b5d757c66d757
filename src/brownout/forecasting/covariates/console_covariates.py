"""Covariates of a console: the loads of its guest and of its host, measured and forecast."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.forecast_request import Covariate, ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.metrics import Family, Metric, Worse
from brownout.domain.panel import Float, Panel

__all__ = [
    "ConsoleCovariates",
    "Load",
    "Place",
    "Predict",
    "covariate_entities",
    "covariates_ahead",
    "gather",
    "is_latency",
    "loads_in",
    "measured_covariates",
]

Predict = Callable[[Panel, Sequence[int]], Forecasts]
"""Forecasts of all series of a panel from some of its slots."""
NO_LOAD = {EntityKind.CONSOLE, EntityKind.PATH}
"""Kinds whose metrics load nothing: how full a file system is slows nobody until it is full."""
RUNS_ON_HOST = {EntityKind.VM, EntityKind.CONSOLE}
"""Kinds that a host runs; its other children are parts of it."""
RESOURCES = (Family.CPU, Family.MEMORY, Family.DISK, Family.NETWORK)
MIDDLE = QUANTILES.index(0.5)


class Place(StrEnum):
    """Where a load acts; what belongs to a host (disks, interfaces, links) acts at the host."""

    GUEST = "guest"
    HOST = "host"


@dataclass(frozen=True, slots=True, order=True)
class Load:
    """A metric of a console's guest or host that may slow it; ``upwards``: more of it is worse."""

    place: Place
    family: Family
    metric: str
    upwards: bool


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Values of entities on any one axis that is shared by all: float32 ``[entity, slot, metric]``, NaN = unknown."""

    entities: tuple[Entity, ...]
    metrics: tuple[str, ...]
    values: Float

    def of(self, place: Place) -> Self:
        """The entities that act at a place."""
        rows = [row for row, entity in enumerate(self.entities) if _place(entity) is place]
        return type(self)(tuple(self.entities[row] for row in rows), self.metrics, self.values[rows])


def is_latency(metric: Metric, kind: str) -> bool:
    """Whether a metric of an entity of a kind is what somebody at a console waits for."""
    return kind == EntityKind.CONSOLE and metric.unit == "ms" and metric.worse is Worse.UP


def loads_in(panels: Sequence[Panel]) -> tuple[Load, ...]:
    """All loads that the panels measure, in a fixed order."""
    loads = {
        Load(_place(entity), metric.family, metric.name, metric.worse is Worse.UP)
        for panel in panels
        for entity in panel.entities[:1]
        for metric in panel.metrics
        if entity.kind not in NO_LOAD and metric.family in RESOURCES and metric.worse is not Worse.NONE
    }
    return tuple(sorted(loads))


@dataclass(frozen=True, slots=True, eq=False)
class ConsoleCovariates:
    """Loads beside the consoles of a panel, at some origins.

    Attributes
    ----------
    panel
        The consoles.
    origins
        Slots of the origins in the panel, increasing.
    horizon
        Steps that are forecast after each origin.
    past
        What was measured in the panel's slots.
    ahead
        The medians that were forecast: origin after origin, step after step.
    """

    panel: Panel
    origins: tuple[int, ...]
    horizon: int
    past: tuple[Block, ...]
    ahead: tuple[Block, ...]

    @classmethod
    def of(cls, request: ForecastRequest) -> Self:
        """Those of a request for consoles, on the slots of its panel."""
        origins = tuple(sorted(set(request.origins)))
        times = [request.panel.start + origin * request.panel.step for origin in origins]
        ahead = [
            _medians(covariate.panel, covariate.forecasts, times, request.horizon)
            for covariate in request.covariates
            if covariate.forecasts is not None
        ]
        past = tuple(_past(request.panel, covariate.panel) for covariate in request.covariates)
        return cls(request.panel, origins, request.horizon, past, tuple(ahead))

    def measured(self, loads: Sequence[Load]) -> Float:
        """``[console, slot, load]``; slots after an origin are there too and must not be read for its forecast."""
        return gather(self.panel.entities, self.past, loads, self.panel.times)

    def forecast(self, loads: Sequence[Load]) -> Float:
        """``[console, origin, step, load]``."""
        origins = self.panel.start + np.array(self.origins) * self.panel.step
        flat = gather(self.panel.entities, self.ahead, loads, np.repeat(origins, self.horizon))
        return flat.reshape(len(self.panel.entities), len(self.origins), self.horizon, len(loads))

    def owners(self, place: Place) -> list[str]:
        """Id of the guest or host of each console."""
        return _owners(self.panel.entities, self.past)[place]


def covariates_ahead(
    panel: Panel, origins: Sequence[int], others: Sequence[Panel], predict: Predict
) -> tuple[Covariate, ...]:
    """What is measured and forecast of the guests and hosts of a panel of consoles, and of what belongs to the hosts.

    ``others`` are panels of a fleet; those of consoles or on slots of another width are left out.
    """
    times = [panel.start + origin * panel.step for origin in sorted(set(origins))]
    covariates = []
    for other in _related(panel, others):
        slots = [slot for time in times if 0 <= (slot := other.slot(time)) < other.values.shape[1]]
        covariates.append(Covariate(other, predict(other, slots) if slots else None))
    return tuple(covariates)


def measured_covariates(panel: Panel, others: Sequence[Panel]) -> tuple[Block, ...]:
    """What the panels of a fleet measured of the consoles' guests and hosts, in the slots of the consoles' panel."""
    return tuple(_past(panel, other) for other in _related(panel, others))


def gather(
    consoles: Sequence[Entity], blocks: Sequence[Block], loads: Sequence[Load], times: npt.NDArray[np.datetime64]
) -> Float:
    """Loads of each console, ``[console, slot, load]``: the worst of a host's disks or links; NaN = unknown.

    ``times`` are when the slots' loads act; those of a guest that migrated are of the host that it was on then.
    """
    owners, earlier = _owners(consoles, blocks), _earlier(consoles, blocks)
    values = np.full((len(consoles), len(times), len(loads)), np.nan, np.float32)
    for column, load in enumerate(loads):
        before = earlier if load.place is Place.HOST else []
        wanted = (*owners[load.place], *(host for _, _, host in before))
        names = {name: place for place, name in enumerate(dict.fromkeys(wanted))}
        table = np.full((len(names), len(times)), np.nan, np.float32)
        for block in blocks:
            if load.metric in block.metrics:
                _worst(table, names, block.of(load.place), load)
        values[:, :, column] = table[[names[owner] for owner in owners[load.place]]]
        for row, until, host in before:
            values[row, times < until, column] = table[names[host], times < until]
    return values


def covariate_entities(consoles: Sequence[Entity], topology: Topology) -> set[str]:
    """Ids of the guests and hosts of consoles, and of what belongs to these hosts."""
    above = {entity for console in consoles for entity in topology.ever(console.id)}
    children = {child for host in above for child in topology.children.get(host, ())}
    return above | {child for child in children if topology[child].kind not in RUNS_ON_HOST}


def _owners(consoles: Sequence[Entity], blocks: Sequence[Block]) -> dict[Place, list[str]]:
    host_of = {entity.id: entity.parent for block in blocks for entity in block.of(Place.GUEST).entities}
    return {
        Place.GUEST: [console.parent for console in consoles],
        # A console may belong to a host itself.
        Place.HOST: [host_of.get(console.parent, console.parent) for console in consoles],
    }


def _earlier(consoles: Sequence[Entity], blocks: Sequence[Block]) -> list[tuple[int, np.datetime64, str]]:
    """Consoles by row whose guests were on other hosts, with the time until which they were; the latest stay first."""
    former = {entity.id: entity.former for block in blocks for entity in block.of(Place.GUEST).entities}
    return [
        (row, until, host)
        for row, console in enumerate(consoles)
        for until, host in reversed(former.get(console.parent, ()))
    ]


def _related(panel: Panel, others: Sequence[Panel]) -> list[Panel]:
    """Of the panels on slots of the same width the entities that consoles depend on."""
    alike = [
        other
        for other in others
        if other.interval_s == panel.interval_s and other.entities and other.entities[0].kind != EntityKind.CONSOLE
    ]
    topology = Topology.of({e.id: e for p in (*alike, panel) for e in p.entities}.values())
    wanted = covariate_entities(panel.entities, topology)
    rows = [[row for row, entity in enumerate(other.entities) if entity.id in wanted] for other in alike]
    return [other.select(entities=chosen) for other, chosen in zip(alike, rows, strict=True) if chosen]


def _past(panel: Panel, other: Panel) -> Block:
    """What another panel measured in the slots of a panel."""
    slots = panel.values.shape[1]
    first = int((other.start - panel.start) // panel.step)
    low, high = max(first, 0), min(first + other.values.shape[1], slots)
    if (low, high) == (0, slots):
        return Block(other.entities, other.metric_names, other.values[:, -first : slots - first])
    values = np.full((len(other.entities), slots, len(other.metrics)), np.nan, np.float32)
    if low < high:
        values[:, low:high] = other.values[:, low - first : high - first]
    return Block(other.entities, other.metric_names, values)


def _medians(other: Panel, forecasts: Forecasts, origins: Sequence[np.datetime64], horizon: int) -> Block:
    """Median forecasts of a panel, origin after origin, step after step; NaN where there is none."""
    entity = {name: row for row, name in enumerate(other.entity_ids)}
    metric = {name: column for column, name in enumerate(other.metric_names)}
    number = {time: place for place, time in enumerate(origins)}
    values = np.full((len(entity), len(metric), len(number), horizon), np.nan, np.float32)
    kept = [
        row
        for row, (series, origin) in enumerate(zip(forecasts.series, forecasts.origins, strict=True))
        if origin in number and series.entity in entity
    ]
    rows = [entity[forecasts.series[row].entity] for row in kept]
    columns = [metric[forecasts.series[row].metric] for row in kept]
    places = [number[forecasts.origins[row]] for row in kept]
    values[rows, columns, places] = forecasts.values[kept][..., MIDDLE]
    flat = values.reshape(len(entity), len(metric), -1).transpose(0, 2, 1)
    return Block(other.entities, other.metric_names, flat)


def _worst(table: Float, names: dict[str, int], block: Block, load: Load) -> None:
    """Write the worst of a block's values into the rows of their owners."""
    rows = [row for row, entity in enumerate(block.entities) if _owner(entity) in names]
    if rows:
        places = [names[_owner(block.entities[row])] for row in rows]
        worse = np.fmax if load.upwards else np.fmin
        worse.at(table, places, block.values[rows][:, :, block.metrics.index(load.metric)])


def _place(entity: Entity) -> Place:
    return Place.GUEST if entity.kind == EntityKind.VM else Place.HOST


def _owner(entity: Entity) -> str:
    """The guest or host that an entity is, or belongs to."""
    return entity.id if entity.kind in {EntityKind.VM, EntityKind.HOST} else entity.parent
