"""Physics of hosts: CPU, memory, disk and link as queues."""

from dataclasses import dataclass

import numpy as np

from brownout.numerics.queues import response_ratio
from brownout.simulation.layout.fleet_layout import MEDIA, Layout
from brownout.simulation.physics.demand import Demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.load import Array, ar1

__all__ = ["Hosts", "simulate_hosts"]

MEMORY_FLOOR = 10.0
"""Percent available below which a host starts to swap (watermarks and swappiness, not an exhausted RAM)."""
BRIEF = 0.12
"""Most that queueing alone adds to ready time: users slow down before an open queue would diverge."""
DISK_DEPTH = 2048
"""Requests that wait for a disk before its users block: a closed system, so latency stays finite."""
WORST_DISK_MS = 400.0
BUFFER_MS = 250.0
"""What a full uplink buffer adds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hosts:
    """State of hosts, arrays ``[host, time]``; percentages unless named otherwise.

    ``use`` is CPU demand over capacity and may exceed 1; ``ready`` the percentage of the time a vCPU that wants to run
    waits; ``pressure`` 0 … 1 how deep the host is in swap, with hysteresis; ``wait_ms`` what the uplink's queue adds.
    """

    use: Array
    ready: Array
    busy: Array
    iowait: Array
    available: Array
    pressure: Array
    disk_use: Array
    await_ms: Array
    iops: Array
    read_kbs: Array
    write_kbs: Array
    link_use: Array
    wait_ms: Array
    rx_kbs: Array
    tx_kbs: Array


def simulate_hosts(layout: Layout, demand: Demand, drivers: Drivers, rng: Draws, *, interval_s: int) -> Hosts:
    """Solve the queues of all hosts."""
    cores = layout.cores[:, None]
    vcpus = layout.vcpus[:, None] * drivers.more("guest_vcpus")
    want = layout.per_host(demand.cpu * vcpus) + 0.03 * cores + drivers.host_cpu
    # An aggressor's own demand is capped by its vCPUs; its threads in QEMU and vhost take what is left of the host.
    use = np.maximum(want / (cores * drivers.clock), drivers.more("host_filled"))
    available, pressure = _memory(layout, demand, drivers, rng, interval_s)
    swap_load = 0.5 * pressure * np.where(layout.medium == 2, 1.0, 0.15)[:, None]
    disk_use, await_ms, iops = _disk(layout, demand, drivers, swap_load)
    ready = np.minimum(_ready(layout, use) + drivers.more("host_ready"), 97)
    blocked = np.clip((await_ms - 8) / 60, 0, 1)
    iowait = 0.3 + 25 * blocked * np.minimum(use, 1)
    busy = np.clip(100 * np.minimum(use, 1) * (1 - 0.25 * blocked) + rng.normal(0, 0.6, use.shape), 0.5, 100)
    link_use, wait_ms, rx_kbs, tx_kbs = _link(layout, demand, drivers)
    reads = rng.once(lambda: rng.uniform(0.25, 0.4, len(layout.cores)))[:, None]
    kbs = iops * 18
    return Hosts(
        use=use,
        ready=ready,
        busy=busy,
        iowait=np.minimum(iowait, 100 - busy),
        available=available,
        pressure=pressure,
        disk_use=disk_use,
        await_ms=await_ms,
        iops=iops,
        read_kbs=kbs * reads,
        write_kbs=kbs * (1 - reads),
        link_use=link_use,
        wait_ms=wait_ms,
        rx_kbs=rx_kbs,
        tx_kbs=tx_kbs,
    )


def _ready(layout: Layout, use: Array) -> Array:
    """Waiting share of a vCPU that wants to run: the M/M/c queue below saturation, 1 - 1/use beyond it."""
    rows = [response_ratio(int(c), u) for c, u in zip(layout.cores, use, strict=True)]
    queueing = 1 - 1 / np.array(rows)
    closed = np.maximum(1 - 1 / np.maximum(use, 1e-6), 0)
    ready: Array = 100 * np.clip(np.minimum(queueing, BRIEF + closed), 0, 0.95)
    return ready


def _memory(layout: Layout, demand: Demand, drivers: Drivers, rng: Draws, interval_s: int) -> tuple[Array, Array]:
    walk = 0.012 * ar1(rng, drivers.host_memory.shape, steps=6 * 3600 / interval_s)
    there = layout.per_host(np.ones(demand.activity.shape)) if layout.moves else _guests(layout)
    sessions = 0.05 * layout.per_host(demand.activity) / there.clip(1)
    used = layout.memory_used[:, None] + walk + sessions + drivers.host_memory
    raw = 100 * (1 - used)
    deficit = np.clip((MEMORY_FLOOR - raw) / MEMORY_FLOOR, 0, 1.5)
    # Pages go out as fast as the deficit grows and come back only when they are touched: half an hour.
    decay = float(np.exp(-interval_s / 1800))
    lingering = rng.filtered([1 - decay], [1, -decay], deficit)
    pressure = np.clip(np.maximum(deficit, lingering), 0, 1)
    available = np.maximum(raw, 2.0 + 0.3 * np.abs(ar1(rng, raw.shape, steps=5)))
    return available, pressure


def _guests(layout: Layout) -> Array:
    return np.bincount(layout.host, minlength=len(layout.cores))[:, None].astype(np.float64)


def _disk(layout: Layout, demand: Demand, drivers: Drivers, swap_load: Array) -> tuple[Array, Array, Array]:
    servers = np.array([MEDIA[i].servers for i in layout.medium])
    service = np.array([MEDIA[i].service_ms for i in layout.medium])[:, None] * drivers.disk_service
    capacity = servers[:, None] / service * 1000
    offered = layout.per_host(demand.iops)
    use = offered / capacity + drivers.disk_load + swap_load
    rows = [response_ratio(int(c), u) for c, u in zip(servers, use, strict=True)]
    open_ms = service * np.array(rows)
    backlog = np.clip((use - 0.9) / 0.25, 0, 1)
    closed_ms = np.minimum(DISK_DEPTH / capacity * 1000, WORST_DISK_MS) * backlog
    return np.minimum(use, 1), open_ms + closed_ms, np.minimum(use, 1) * capacity


def _link(layout: Layout, demand: Demand, drivers: Drivers) -> tuple[Array, Array, Array, Array]:
    tx = layout.per_host(demand.net_tx) + drivers.more("net_copied_out_kbs")
    rx = layout.per_host(demand.net_rx) + drivers.more("net_copied_in_kbs")
    speed = layout.speed[:, None] * drivers.more("net_speed")
    use = np.maximum(tx, rx) / speed + drivers.link_load
    filled = np.clip((use - 0.85) / 0.25, 0, 1)
    wait_ms = 0.02 * use / (1 - np.minimum(use, 0.95)) + BUFFER_MS * filled
    tx = np.minimum(tx + drivers.link_load * speed, speed)
    return np.minimum(use, 1), wait_ms, np.minimum(rx, speed), tx
