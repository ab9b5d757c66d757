"""What Telegraf and the console probe would have written of a fleet: their measurements, tags, fields and counters."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Entity
from brownout.domain.panel import Panel
from brownout.simulation.fleet import Fleet
from brownout.simulation.layout import POOL, VANTAGE
from brownout.simulation.signatures import SIGNATURES
from brownout.telemetry.lines import Points

__all__ = ["NOT_WRITTEN", "Trouble", "telegraf_points"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NOT_WRITTEN = ("console_worker_pct", *SIGNATURES)
"""Metrics that no measurement of Telegraf or the probe carries, or that are not written yet."""
NANOSECONDS_A_PERCENT = 1e7
KILOHERTZ = 3_500_000
SEGMENTS_A_SECOND = 20_000
CONNTRACK_MAX = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens to collectors besides gaps.

    ``resets`` are times at which all counters of an entity begin anew, ``moves`` the time and the new host of guests
    that migrate.
    """

    resets: Mapping[str, np.datetime64] = field(default_factory=dict)
    moves: Mapping[str, tuple[np.datetime64, str]] = field(default_factory=dict)


class Writer:
    """Fields and points of the entities of one panel."""

    def __init__(self, panel: Panel, trouble: Trouble, rng: np.random.Generator) -> None:
        self.panel = panel
        self.trouble = trouble
        self.rng = rng
        self.present = np.isfinite(panel.values).any(axis=2)
        self.times = panel.times.astype("datetime64[ms]").astype(np.int64)

    def __getitem__(self, metric: str) -> Array:
        """Values of a metric, ``[entity, time]``."""
        return self.panel.values[:, :, self.panel.metric_names.index(metric)].astype(float)

    def counter(self, rates: Array) -> Integers:
        """A counter that grows by a rate a second and is reset when its entity is.

        What nobody saw grows like what was seen next, so that a rate over a gap is the rate after it.
        """
        filled = _next_known(rates)
        growth = filled * self.panel.interval_s
        growth[:, 0] = self.rng.integers(10**6, 10**9, len(growth))
        total = np.cumsum(growth, axis=1)
        for row, entity in enumerate(self.panel.entity_ids):
            if entity in self.trouble.resets:
                slot = self.panel.slot(self.trouble.resets[entity])
                total[row, slot:] -= total[row, slot]
        return np.round(total).astype(np.int64)

    def points(self, measurement: str, tags: list[dict[str, str]], fields: Mapping[str, Array | Integers]) -> Points:
        """Points of all rows that were measured; a guest that moves has another host in its tags from then on.

        Entities whose tags are empty write nothing.
        """
        rows, slots = np.nonzero(self.present & np.array([[bool(own)] for own in tags]))
        series = rows.copy()
        tags = list(tags)
        for row, entity in enumerate(self.panel.entities):
            move = self.trouble.moves.get(entity.parent if entity.kind == "console" else entity.id)
            if move is not None:
                series[(rows == row) & (slots >= self.panel.slot(move[0]))] = len(tags)
                tags.append(tags[row] | {"hypervisor" if "hypervisor" in tags[row] else "host": move[1]})
        values = {name: column[rows, slots] for name, column in fields.items()}
        return Points(measurement=measurement, tags=tags, series=series, times=self.times[slots], fields=values)


def telegraf_points(fleet: Fleet, trouble: Trouble | None = None) -> Iterator[Points]:
    """All measurements of a fleet, each over its whole span; the same fleet gives the same points."""
    rng = np.random.default_rng(fleet.settings.seed)
    hosts = {guest.id: guest.parent for guest in fleet.topology if guest.kind == "vm"}
    makers: Mapping[str, Callable[[Writer], Iterator[Points]]] = {
        "host": _hosts,
        "disk": _disks,
        "path": _paths,
        "interface": _interfaces,
        "link": _links,
        "vm": _guests,
        "console": lambda writer: _consoles(writer, hosts),
    }
    for kind, panel in fleet.panels.items():
        yield from makers[kind](Writer(panel, trouble or Trouble(), rng))


def _hosts(writer: Writer) -> Iterator[Points]:
    entities = writer.panel.entities
    tags = [{"host": entity.id} for entity in entities]
    busy, iowait = writer["host_cpu_busy_pct"], writer["host_cpu_iowait_pct"]
    cores = _label(entities, "cores")
    yield writer.points(
        "cpu",
        [tag | {"cpu": "cpu-total"} for tag in tags],
        {
            "usage_idle": 100 - busy - iowait,
            "usage_iowait": iowait,
            "usage_guest": 0.8 * busy,
            "usage_user": 0.12 * busy,
            "usage_system": 0.08 * busy,
        },
    )
    load = writer["host_load_per_cpu"] * cores
    yield writer.points("system", tags, {"load1": load, "n_cpus": np.broadcast_to(cores, load.shape).astype(np.int64)})
    yield writer.points("processes", tags, {"blocked": _whole(writer["host_blocked_tasks"])})
    for resource, kind in (("cpu", "some"), ("memory", "full"), ("io", "some")):
        own = [tag | {"resource": resource, "type": kind} for tag in tags]
        yield writer.points("pressure", own, {"avg10": writer[f"host_psi_{resource}_pct"]})
    memory = np.broadcast_to(_label(entities, "memory_gib") * 2**30, load.shape)
    yield writer.points(
        "mem", tags, {"available_percent": writer["host_memory_available_pct"], "total": memory.astype(np.int64)}
    )
    swapped = writer.counter(writer["host_swap_kbs"] * 512)
    yield writer.points("swap", tags, {"in": swapped, "out": swapped})
    yield writer.points("kernel_vmstat", tags, {"pgmajfault": writer.counter(writer["host_majfault_per_s"])})
    sent = np.full(load.shape, float(SEGMENTS_A_SECOND))
    again = writer["host_retrans_pct"] / 100 * SEGMENTS_A_SECOND
    yield writer.points(
        "nstat",
        [tag | {"name": "snmp"} for tag in tags],
        {"TcpOutSegs": writer.counter(sent), "TcpRetransSegs": writer.counter(again)},
    )
    yield writer.points("netstat", tags, {"tcp_established": _whole(writer["host_tcp_established"])})
    yield writer.points(
        "conntrack",
        tags,
        {
            "ip_conntrack_count": writer["host_conntrack_pct"] / 100 * CONNTRACK_MAX,
            "ip_conntrack_max": np.full(load.shape, float(CONNTRACK_MAX)),
        },
    )
    for cpu in ("0", "1"):
        yield writer.points(
            "linux_cpu",
            [tag | {"cpu": cpu} for tag in tags],
            {
                "scaling_cur_freq": _whole(writer["host_freq_ratio"] * KILOHERTZ),
                "cpuinfo_max_freq": np.full(load.shape, KILOHERTZ),
            },
        )


def _disks(writer: Writer) -> Iterator[Points]:
    tags = [{"host": entity.parent, "name": entity.id.rpartition("/")[2]} for entity in writer.panel.entities]
    yield writer.points(
        "diskio",
        tags,
        {
            "io_await": writer["disk_await_ms"],
            "io_util": writer["disk_util_pct"],
            "weighted_io_time": writer.counter(writer["disk_queue"] * 1000),
            "read_bytes": writer.counter(writer["disk_read_kbs"] * 1024),
            "write_bytes": writer.counter(writer["disk_write_kbs"] * 1024),
        },
    )


def _paths(writer: Writer) -> Iterator[Points]:
    tags = [
        {"host": entity.parent, "path": POOL, "device": "dm-1", "fstype": "xfs", "mode": "rw"}
        for entity in writer.panel.entities
    ]
    yield writer.points("disk", tags, {"used_percent": writer["disk_used_pct"]})


def _interfaces(writer: Writer) -> Iterator[Points]:
    entities = writer.panel.entities
    rx, tx = writer["net_rx_kbs"], writer["net_tx_kbs"]
    drops = writer["net_drop_per_s"]
    yield writer.points(
        "net",
        [{"host": entity.parent, "interface": entity.id.rpartition("/")[2]} for entity in entities],
        {
            "bytes_recv": writer.counter(rx * 1024),
            "bytes_sent": writer.counter(tx * 1024),
            "drop_in": writer.counter(np.zeros_like(drops)),
            "drop_out": writer.counter(drops),
            "speed": np.broadcast_to(_label(entities, "speed_mbits"), rx.shape).astype(np.int64),
        },
    )


def _links(writer: Writer) -> Iterator[Points]:
    loss = writer["link_loss_pct"]
    yield writer.points(
        "ping",
        [{"host": VANTAGE, "url": entity.parent} for entity in writer.panel.entities],
        {
            "average_response_ms": writer["link_rtt_ms"],
            "standard_deviation_ms": writer["link_jitter_ms"],
            "percent_packet_loss": loss,
        },
    )


def _guests(writer: Writer) -> Iterator[Points]:
    entities = writer.panel.entities
    tags = [{"host": entity.parent, "domain_name": entity.id} for entity in entities]
    vcpus = _label(entities, "vcpus")
    use = writer["vm_cpu_pct"]
    one = np.ones(use.shape, np.int64)
    yield writer.points("libvirt_state", tags, {"state": one, "reason": one})
    yield writer.points("libvirt_vcpu_total", tags, {"current": one * vcpus.astype(np.int64)})
    spent = use * vcpus * NANOSECONDS_A_PERCENT
    user, system = writer.counter(0.95 * spent), writer.counter(0.05 * spent)
    yield writer.points("libvirt_cpu", tags, {"time": user + system, "user": user, "system": system})
    for vcpu in range(int(vcpus.max())):
        own = [tag | {"vcpu_id": str(vcpu)} if has > vcpu else {} for tag, has in zip(tags, vcpus[:, 0], strict=True)]
        delay = writer.counter(writer["vm_ready_pct"] * NANOSECONDS_A_PERCENT)
        yield writer.points("libvirt_vcpu", own, {"delay": delay})
    yield _balloon(writer, tags)
    yield from _blocks(writer, tags)
    yield writer.points(
        "libvirt_net",
        [tag | {"interface_id": "0"} for tag in tags],
        {
            "rx_bytes": writer.counter(writer["vm_net_rx_kbs"] * 1024),
            "tx_bytes": writer.counter(writer["vm_net_tx_kbs"] * 1024),
        },
    )
    units = [
        {
            "host": entity.parent,
            "process_name": "qemu-system-x86",
            "cgroup": f"machine-qemu\\x2d{number + 1}\\x2d{entity.id}.scope",
        }
        for number, entity in enumerate(entities)
    ]
    yield writer.points(
        "procstat",
        units,
        {"cpu_usage": writer["vm_qemu_cpu_pct"], "memory_swap": _whole(writer["vm_qemu_swap_mib"] * 2**20)},
    )


def _balloon(writer: Writer, tags: list[dict[str, str]]) -> Points:
    maximum = _label(writer.panel.entities, "memory_gib") * 2**20
    current = _whole(writer["vm_balloon_ratio"] * maximum)
    available = _whole(0.97 * current)
    swapped = writer.counter(writer["vm_swap_kbs"] / 2)
    return writer.points(
        "libvirt_balloon",
        tags,
        {
            "maximum": np.broadcast_to(maximum, current.shape).astype(np.int64),
            "current": current,
            "available": available,
            "usable": _whole(writer["vm_memory_usable_pct"] / 100 * available),
            "swap_in": swapped,
            "swap_out": swapped,
            "major_fault": writer.counter(writer["vm_majfault_per_s"]),
        },
    )


def _blocks(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    """Two disks a guest: seven of ten requests go to the first."""
    wait_ns = writer["vm_disk_await_ms"] * 1e6
    for block, share in (("0", 0.7), ("1", 0.3)):
        requests = writer["vm_disk_iops"] * share
        traffic = writer["vm_disk_kbs"] * share * 1024
        yield writer.points(
            "libvirt_block",
            [tag | {"block_id": block} for tag in tags],
            {
                "rd_reqs": writer.counter(requests * 0.4),
                "wr_reqs": writer.counter(requests * 0.6),
                "rd_bytes": writer.counter(traffic * 0.4),
                "wr_bytes": writer.counter(traffic * 0.6),
                "rd_times": writer.counter(requests * 0.4 * wait_ns),
                "wr_times": writer.counter(requests * 0.6 * wait_ns),
            },
        )


def _consoles(writer: Writer, hosts: Mapping[str, str]) -> Iterator[Points]:
    entities = writer.panel.entities
    common = [
        {
            "host": VANTAGE,
            "vantage": VANTAGE,
            "hypervisor": hosts[entity.parent],
            "domain_name": entity.parent,
            "protocol": entity.labels["protocol"],
            "transport": "tcp",
            "result": "success",
        }
        for entity in entities
    ]
    connect = writer["console_connect_ms"]
    wait = writer["console_mainloop_ms"]
    yield writer.points(
        "console_probe",
        [tags | {"mode": "update"} for tags in common],
        {
            "tcp_connect_ms": connect,
            "banner_ms": connect + wait,
            "negotiate_ms": connect + wait + 0.3,
            "update_latency_ms": writer["console_update_ms"],
            "update_bytes": _whole(writer["console_update_kib"] * 1024),
        },
    )
    yield writer.points(
        "console_probe", [tags | {"mode": "canary"} for tags in common], {"echo_ms": writer["console_echo_ms"]}
    )
    yield writer.points(
        "console_probe",
        [tags | {"mode": "window"} for tags in common],
        {
            "fps": writer["console_fps"],
            "fps_stddev": writer["console_fps_stddev"],
            "bytes_per_s": writer["console_sent_kbs"] * 1024,
        },
    )
    sessions = [
        {"host": hosts[entity.parent], "domain_name": entity.parent, "protocol": entity.labels["protocol"]}
        for entity in entities
    ]
    yield writer.points("console_session", sessions, {"clients": _whole(writer["console_clients"])})


def _label(entities: tuple[Entity, ...], label: str) -> Array:
    """A number of each entity, ``[entity, 1]``."""
    return np.array([[float(entity.labels[label])] for entity in entities])


def _whole(values: npt.NDArray[np.floating[Any]]) -> Integers:
    """Rounded to whole numbers; where nothing was measured nothing is written."""
    whole: Integers = np.round(np.nan_to_num(values)).astype(np.int64)
    return whole


def _next_known(values: Array) -> Array:
    """Missing values replaced by the next known one of the row, those at the end by zero."""
    place = np.where(np.isfinite(values), np.arange(values.shape[1]), values.shape[1])
    nearest = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
    filled: Array = np.take_along_axis(padded, nearest, axis=1)
    return filled
