"""Capacity: how full each host is when it is busy, and when it runs out."""

from collections import defaultdict
from dataclasses import dataclass

from brownout.domain.encoding import Instant, MetricResult, Number
from brownout.domain.entities import EntityKind
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Breach, Series
from brownout.domain.metrics import Worse
from brownout.domain.night import Night
from brownout.reporting.views.chance_skill import chance_is_told

__all__ = ["HostCapacity", "RunsOut", "capacity_of"]

RESOURCES = {
    "cpu": "host_cpu_busy_pct",
    "memory": "host_memory_available_pct",
    "disk": "disk_util_pct",
    "storage": "disk_used_pct",
    "link": "net_util_pct",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOut(MetricResult):
    """A resource of a host that will be beyond its limit.

    Attributes
    ----------
    series
        Which resource.
    probability
        How sure that is; null where it is beyond it now and the chances of its metric have no skill.
    likely
        When it has happened with an even chance; null where it is less probable than that.
    """

    series: Series
    probability: Number | None
    likely: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCapacity:
    """How full a host is; of several disks or links the fullest.

    Attributes
    ----------
    host
        Id of the host.
    guests
        How many guests run on it.
    cpu
        Its CPU; null where it was not measured, as the next four.
    memory
        Its memory available.
    disk
        Its busiest disk.
    storage
        Its fullest storage.
    link
        Its busiest network link.
    runs_out
        What will be beyond its limit, most probable first.
    """

    host: str
    guests: int
    cpu: Level | None
    memory: Level | None
    disk: Level | None
    storage: Level | None
    link: Level | None
    runs_out: tuple[RunsOut, ...]


def capacity_of(night: Night) -> tuple[HostCapacity, ...]:
    """One line for each host that was measured, the fullest first."""
    topology = night.topology
    levels = defaultdict[str, dict[str, list[Level]]](lambda: defaultdict(list))
    for level in night.levels:
        levels[topology.root(level.series.entity)][level.series.metric].append(level)
    breaches = defaultdict[str, list[Breach]](list)
    for breach in night.breaches:
        if breach.series.metric in RESOURCES.values():
            breaches[topology.root(breach.series.entity)].append(breach)
    hosts = [entity.id for entity in topology if entity.kind == EntityKind.HOST and entity.id in levels]
    lines = []
    for host in hosts:
        fullest = {name: _fullest(night, levels[host].get(metric, [])) for name, metric in RESOURCES.items()}
        guests = sum(topology[name].kind == EntityKind.VM for name in topology.children.get(host, ()))
        runs_out = tuple(
            RunsOut(
                series=b.series,
                probability=b.probability if chance_is_told(b, night) else None,
                likely=None if b.exceeded else b.likely,
            )
            for b in breaches[host]
            if b.exceeded or chance_is_told(b, night)
        )
        lines.append(HostCapacity(host=host, guests=guests, runs_out=runs_out, **fullest))
    return tuple(sorted(lines, key=lambda line: (-max(_use(level) for level in _of(line)), line.host)))


def _of(line: HostCapacity) -> list[Level | None]:
    return [line.cpu, line.memory, line.disk, line.storage, line.link]


def _fullest(night: Night, levels: list[Level]) -> Level | None:
    """The level that is worst when busy."""
    if not levels:
        return None
    down = night.metrics[levels[0].series.metric].worse is Worse.DOWN
    return (min if down else max)(levels, key=lambda level: (level.busy, level.series))


def _use(level: Level | None) -> float:
    """Share in use when busy; of memory what is not available."""
    if level is None:
        return 0.0
    available = level.series.metric == RESOURCES["memory"]
    return 100 - level.busy if available else level.busy
