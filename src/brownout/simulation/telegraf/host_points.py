"""Measurements of hosts: inputs cpu, system, mem, swap, kernel, nstat … and ``brownout facts``."""

from collections.abc import Iterator

import numpy as np

from brownout.ingest.line_protocol import Points
from brownout.simulation.telegraf.writer import Array, Integers, Writer, whole

__all__ = ["hosts"]

KILOHERTZ = 3_500_000
SEGMENTS_A_SECOND = 20_000
PAGES_A_SECOND = 100_000
CONNTRACK_MAX = 262_144


def hosts(writer: Writer) -> Iterator[Points]:
    """All measurements of hosts."""
    tags = [{"host": entity.id} for entity in writer.panel.entities]
    yield from _processors(writer, tags)
    yield from _load(writer, tags)
    yield from _memory(writer, tags)
    yield from _network(writer, tags)
    if "host_maintenance" in writer:
        yield from _state(writer, tags)


def _processors(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    """Of the single CPUs only the first two: one with the most interrupts, and the busiest."""
    busy, iowait = writer["host_cpu_busy_pct"], writer["host_cpu_iowait_pct"]
    total = [tag | {"cpu": "cpu-total"} for tag in tags]
    yield writer.points("cpu", total, _shares(busy, iowait, 0.01 * busy))
    if "host_cpu_peak_pct" in writer:
        peak, softirq = writer["host_cpu_peak_pct"], writer["host_softirq_pct"]
        for cpu, share, interrupts in (
            ("cpu0", np.minimum(softirq, peak), softirq),
            ("cpu1", peak, 0.1 * softirq),
        ):
            yield writer.points("cpu", [tag | {"cpu": cpu} for tag in tags], _shares(share, 0 * share, interrupts))
    throttled = writer.counter(writer.get("host_throttle_per_min", 0) / 60)
    for cpu, count in (("0", throttled), ("1", np.zeros_like(throttled))):
        frequency = {
            "scaling_cur_freq": whole(writer["host_freq_ratio"] * KILOHERTZ),
            "cpuinfo_max_freq": np.full(writer.shape, KILOHERTZ),
        }
        more: dict[str, Array | Integers] = {"throttle_count": count} if "host_throttle_per_min" in writer else {}
        yield writer.points("linux_cpu", [tag | {"cpu": cpu} for tag in tags], {**frequency, **more})


def _shares(busy: Array, iowait: Array, softirq: Array) -> dict[str, Array | Integers]:
    return {
        "usage_idle": 100 - busy - iowait,
        "usage_iowait": iowait,
        "usage_guest": 0.8 * busy,
        "usage_user": 0.12 * busy,
        "usage_system": 0.08 * busy,
        "usage_softirq": softirq,
    }


def _load(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    cores = writer.label("cores")
    system: dict[str, Array | Integers] = {"load1": writer["host_load_per_cpu"] * cores, "n_cpus": writer.spread(cores)}
    if "host_uptime_h" in writer:
        system["uptime"] = whole(writer["host_uptime_h"] * 3600)
    yield writer.points("system", tags, system)
    yield writer.points("processes", tags, {"blocked": whole(writer["host_blocked_tasks"])})
    for resource, kind in (("cpu", "some"), ("memory", "full"), ("io", "some")):
        pressure_tags = [tag | {"resource": resource, "type": kind} for tag in tags]
        yield writer.points("pressure", pressure_tags, {"avg10": writer[f"host_psi_{resource}_pct"]})


def _memory(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    total = writer.spread(writer.label("memory_gib") * 2**30)
    available = writer["host_memory_available_pct"]
    memory: dict[str, Array | Integers] = {
        "available_percent": available,
        "available": whole(available / 100 * total),
        "total": total,
    }
    if "host_dirty_pct" in writer:
        memory |= {"dirty": whole(writer["host_dirty_pct"] / 100 * total), "write_back": np.zeros_like(total)}
    yield writer.points("mem", tags, memory)
    swapped = writer.counter(writer["host_swap_kbs"] * 512)
    yield writer.points("swap", tags, {"in": swapped, "out": swapped})
    pages = {"pgmajfault": writer.counter(writer["host_majfault_per_s"])}
    if "host_reclaim_per_s" in writer:
        remote = writer["host_numa_remote_pct"] / 100 * PAGES_A_SECOND
        pages |= {
            "numa_other": writer.counter(remote),
            "numa_local": writer.counter(PAGES_A_SECOND - remote),
            "thp_fault_fallback": writer.counter(writer["host_thp_fallback_per_s"]),
            "pgscan_direct": writer.counter(writer["host_reclaim_per_s"]),
            "compact_stall": np.zeros(writer.shape, np.int64),
        }
    yield writer.points("kernel_vmstat", tags, pages)


def _network(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    sent = np.full(writer.shape, float(SEGMENTS_A_SECOND))
    again = writer["host_retrans_pct"] / 100 * SEGMENTS_A_SECOND
    yield writer.points(
        "nstat",
        [tag | {"name": "snmp"} for tag in tags],
        {"TcpOutSegs": writer.counter(sent), "TcpRetransSegs": writer.counter(again)},
    )
    sockets = {"tcp_established": whole(writer["host_tcp_established"])}
    more = {"tcp_close_wait": whole(writer["host_close_wait"])} if "host_close_wait" in writer else {}
    yield writer.points("netstat", tags, {**sockets, **more})
    yield writer.points(
        "conntrack",
        tags,
        {
            "ip_conntrack_count": writer["host_conntrack_pct"] / 100 * CONNTRACK_MAX,
            "ip_conntrack_max": np.full(writer.shape, float(CONNTRACK_MAX)),
        },
    )


def _state(writer: Writer, tags: list[dict[str, str]]) -> Iterator[Points]:
    yield writer.points("chrony", tags, {"system_time": writer["host_clock_offset_ms"] / 1000})
    errors = writer.events(writer["host_mem_errors_per_h"])
    corrected = {"memory_read_corrected_errors": errors, "memory_write_corrected_errors": np.zeros_like(errors)}
    yield writer.points("ras", [tag | {"socket_id": "0"} for tag in tags], corrected)
    yield writer.points(
        "rt_thread",
        [tag | {"thread": "ptp4l"} for tag in tags],
        {"cpu_seconds": writer.seconds(writer["host_rt_cpu_pct"] / 100)},
    )
    yield writer.points(
        "host_state",
        tags,
        {"vm_starts": whole(writer["host_vm_starts_per_min"]), "maintenance": whole(writer["host_maintenance"])},
    )
    yield writer.labelled("host_config", tags, {"governor": "governor", "vcpus_per_core": "vcpus_per_core"})
