"""Measurements of guests: inputs libvirt, procstat and cgroup, and ``brownout facts``."""

from collections.abc import Iterator

import numpy as np

from brownout.ingest.line_protocol import Points
from brownout.simulation.telegraf.writer import Array, Integers, Writer, whole

__all__ = ["guests"]

NANOSECONDS_A_PERCENT = 1e7
CYCLES_A_SECOND = 1e9
PERIODS_A_SECOND = 10
"""A quota is counted in periods of 100 ms."""
RUNNING, PAUSED = 1, 3
GUEST_LABELS = ("guest_gpu_driver", "virtio_win")
"""What only an agent in the guest knows."""

Tags = list[dict[str, str]]


def guests(writer: Writer) -> Iterator[Points]:
    """All measurements of guests."""
    tags = [{"host": entity.parent, "domain_name": entity.id} for entity in writer.panel.entities]
    paused = whole(writer.get("vm_paused", 0)) > 0
    state = np.where(paused, PAUSED, RUNNING)
    yield writer.points("libvirt_state", tags, {"state": state, "reason": np.ones_like(state)})
    yield from _processors(writer, tags)
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
    yield from _processes(writer)
    if "vm_migrating" in writer:
        jobs = {"migrating": whole(writer["vm_migrating"]), "block_job": whole(writer["vm_block_job"])}
        yield writer.points("vm_state", tags, jobs)
        names = {name for entity in writer.panel.entities for name in entity.labels} - {"memory_gib"}
        yield writer.labelled("vm_config", tags, {name: name for name in sorted(names.difference(GUEST_LABELS))})
        yield writer.labelled("vm_guest", tags, {name: name for name in GUEST_LABELS})


def _processors(writer: Writer, tags: Tags) -> Iterator[Points]:
    vcpus = writer.label("vcpus")
    yield writer.points("libvirt_vcpu_total", tags, {"current": writer.spread(vcpus)})
    spent = writer["vm_cpu_pct"] * vcpus * NANOSECONDS_A_PERCENT
    emulated = writer.get("vm_system_share_pct", 5) / 100
    user, system = writer.counter((1 - emulated) * spent), writer.counter(emulated * spent)
    yield writer.points("libvirt_cpu", tags, {"time": user + system, "user": user, "system": system})
    for vcpu in range(int(vcpus.max())):
        vcpu_tags = [
            tag | {"vcpu_id": str(vcpu)} if has > vcpu else {} for tag, has in zip(tags, vcpus[:, 0], strict=True)
        ]
        delay = writer.counter(writer["vm_ready_pct"] * NANOSECONDS_A_PERCENT)
        yield writer.points("libvirt_vcpu", vcpu_tags, {"delay": delay})
    if "vm_ipc" in writer:
        done = writer["vm_ipc"] * CYCLES_A_SECOND
        events = {
            "cpu_cycles": writer.counter(np.full(writer.shape, CYCLES_A_SECOND)),
            "instructions": writer.counter(done),
            "cache_misses": writer.counter(writer["vm_cache_miss_per_ki"] / 1000 * done),
        }
        yield writer.points("libvirt_perf", tags, events)


def _memory(writer: Writer) -> tuple[Array, Integers]:
    """Most and current memory, KiB."""
    maximum = writer.label("memory_gib") * 2**20
    return maximum, whole(writer["vm_balloon_ratio"] * maximum)


def _balloon(writer: Writer, tags: Tags) -> Points:
    maximum, current = _memory(writer)
    available = whole(0.97 * current)
    swapped = writer.counter(writer["vm_swap_kbs"] / 2)
    return writer.points(
        "libvirt_balloon",
        tags,
        {
            "maximum": writer.spread(maximum),
            "current": current,
            "available": available,
            "usable": whole(writer["vm_memory_usable_pct"] / 100 * available),
            "swap_in": swapped,
            "swap_out": swapped,
            "major_fault": writer.counter(writer["vm_majfault_per_s"]),
        },
    )


def _blocks(writer: Writer, tags: Tags) -> Iterator[Points]:
    """Two disks a guest: seven of ten requests go to the first."""
    wait_ns = writer["vm_disk_await_ms"] * 1e6
    for block, share in (("0", 0.7), ("1", 0.3)):
        requests = writer["vm_disk_iops"] * share
        traffic = writer["vm_disk_kbs"] * share * 1024
        fields = {
            "rd_reqs": writer.counter(requests * 0.4),
            "wr_reqs": writer.counter(requests * 0.6),
            "rd_bytes": writer.counter(traffic * 0.4),
            "wr_bytes": writer.counter(traffic * 0.6),
            "rd_times": writer.counter(requests * 0.4 * wait_ns),
            "wr_times": writer.counter(requests * 0.6 * wait_ns),
        }
        if "vm_flush_ms" in writer:
            flushes = 10 * share + 0.1 * requests
            fields |= {
                "fl_reqs": writer.counter(flushes),
                "fl_times": writer.counter(flushes * writer["vm_flush_ms"] * 1e6),
            }
        yield writer.points("libvirt_block", [tag | {"block_id": block} for tag in tags], fields)


def _processes(writer: Writer) -> Iterator[Points]:
    """QEMU as the host sees it, and the cgroup of its first vCPU."""
    scopes = [f"machine-qemu\\x2d{n}\\x2d{entity.id}.scope" for n, entity in enumerate(writer.panel.entities, 1)]
    at = [entity.parent for entity in writer.panel.entities]
    units = [
        {"host": host, "process_name": "qemu-system-x86", "cgroup": scope}
        for host, scope in zip(at, scopes, strict=True)
    ]
    fields: dict[str, Array | Integers] = {
        "cpu_usage": writer["vm_qemu_cpu_pct"],
        "memory_swap": whole(writer["vm_qemu_swap_mib"] * 2**20),
    }
    if "vm_uptime_h" in writer:
        resident = _memory(writer)[1] * 1024 + whole(writer["vm_qemu_extra_mib"] * 2**20)
        began = writer.times * 10**6 - whole(writer["vm_uptime_h"] * 3600) * 10**9
        fields |= {"memory_rss": resident, "created_at": began}
    yield writer.points("procstat", units, fields)
    if "vm_throttled_pct" in writer:
        throttled = writer["vm_throttled_pct"] / 100 * PERIODS_A_SECOND
        counts = {
            "cpu.stat.nr_periods": writer.counter(np.full(writer.shape, float(PERIODS_A_SECOND))),
            "cpu.stat.nr_throttled": writer.counter(throttled),
        }
        groups = [
            {"host": host, "path": f"/sys/fs/cgroup/machine.slice/{scope}/libvirt/vcpu0"}
            for host, scope in zip(at, scopes, strict=True)
        ]
        yield writer.points("cgroup", groups, counts)
