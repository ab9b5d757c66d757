"""Physics of guests and their consoles: memory, echo, and the stages of a console's latency."""

from dataclasses import dataclass

import numpy as np

from brownout.numerics.queues import mathis_kbs, response_ratio
from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.demand import Demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.hosts import Hosts
from brownout.simulation.physics.load import Array, ar1

__all__ = ["Consoles", "Guests", "simulate_consoles", "simulate_guests"]

REFRESH_MS = 30.0
"""QEMU's VNC refresh timer while somebody looks; a request waits for half of it on average."""
RTO_MS = 200.0
"""Linux' smallest retransmission time-out."""
LEAK_FACTOR = 24.0
"""Echo is 25 times its usual when a guest's memory is exhausted: 200 ms become 5 s."""
THIN = 10.0
"""Percent of usable guest memory below which it swaps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Guests:
    """Arrays ``[vm, time]``: ``shortage`` 0 … 1 is how far usable memory is below 10 percent."""

    cpu: Array
    ready: Array
    usable: Array
    shortage: Array
    await_ms: Array
    iops: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Consoles:
    """Stages in ms, arrays ``[console, time]``, as means over an interval without sampling noise."""

    connect: Array
    mainloop: Array
    update: Array
    echo: Array
    fps: Array
    fps_stddev: Array
    update_kib: Array
    sent_kbs: Array
    worker: Array


def simulate_guests(layout: Layout, demand: Demand, drivers: Drivers, hosts: Hosts, rng: Draws) -> Guests:
    """What guests get of their host, and what is left of their memory."""
    ready = layout.felt(hosts.ready)
    share = 1 - ready / 100
    throttled = np.clip(100 * (1 - drivers.quota) * (demand.cpu >= drivers.quota - 1e-9), 0, 95)
    spread = rng.lognormal(0, 0.35, demand.cpu.shape)
    used = layout.leanness[:, None] + 0.12 * np.minimum(demand.activity, 1.3)
    usable = 100 * (1 - used / drivers.more("guest_memory")) - drivers.leak
    usable = usable - 100 * drivers.balloon + 1.5 * ar1(rng, usable.shape, steps=30)
    shortage = np.clip((THIN - usable) / THIN, 0, 1)
    swap_iops = 150 * shortage
    slow = 1 + 0.25 * np.abs(rng.standard_normal(demand.iops.shape))
    return Guests(
        cpu=100 * demand.cpu * np.clip(share, 0.05, 1) * (1 - drivers.more("guest_hang")),
        ready=np.clip(
            (0.15 + ready) * spread
            + (0.6 * throttled + 0.25 * drivers.throttle) * (1 - drivers.more("guest_migrating"))
            + drivers.more("guest_ready"),
            0,
            100,
        ),
        usable=np.maximum(usable, 0.8),
        shortage=shortage,
        await_ms=layout.felt(hosts.await_ms) * slow + 0.05 + 3 * shortage + drivers.more("guest_await_ms"),
        iops=demand.iops + swap_iops,
    )


def simulate_consoles(layout: Layout, state: tuple[Demand, Drivers, Hosts, Guests], rng: Draws) -> Consoles:
    """Compose the latency of all consoles from its causes."""
    demand, drivers, hosts, guests = state
    shape = demand.cpu.shape
    rtt, wait_ms = layout.lasting(layout.rtt, shape[1]), layout.felt(hosts.wait_ms)
    speed_left = np.maximum(1 - layout.felt(hosts.ready) / 100, 0.05)
    clock = layout.felt(drivers.clock) * layout.lasting(layout.pace, shape[1]) * drivers.more("guest_ipc")
    lag = drivers.more("guest_probe_lag_ms")
    loss = np.clip(layout.felt(drivers.loss) + 2e-5 * rng.lognormal(0, 1, shape), 0, 0.5)
    connect = rtt * rng.lognormal(0.05, 0.06, shape) + layout.felt(drivers.rtt) + wait_ms + lag
    jitter = 0.06 * rtt * rng.lognormal(0, 0.4, shape) + layout.felt(drivers.jitter) + 0.25 * wait_ms
    mainloop = _mainloop(drivers, hosts, guests, layout, rng)

    update_kib = (12 + 90 * demand.change) * rng.lognormal(0, 0.15, shape) * drivers.more("guest_kib")
    update_kib = np.where(drivers.more("guest_blank") > 0, 0.8, update_kib)
    encode = (2.0 + 5 * demand.change) / (clock * speed_left)
    frames = 5 + 20 * np.minimum(demand.change, 1.4)
    worker = np.minimum(demand.clients * frames * encode / 1000, 1)
    stretched = encode * np.minimum(response_ratio(1, np.minimum(worker, 0.97)), 15)
    stretched = np.where(demand.clients > 0, stretched, encode)
    bandwidth = np.minimum(
        layout.lasting(layout.speed, shape[1]) * np.maximum(1 - layout.felt(hosts.link_use), 0.02),
        mathis_kbs(connect, loss),
    )
    transfer = 1000 * np.minimum(update_kib, 256) / bandwidth
    hit = 1 - (1 - loss) ** np.maximum(np.minimum(update_kib, 256) / 1.4, 1)
    update = connect + REFRESH_MS / 2 + mainloop + stretched + transfer + hit * (RTO_MS + 2 * connect)
    update = update + drivers.more("guest_update_ms")
    guest_queue = response_ratio(2, np.clip(guests.cpu / 100, 0, 0.98))
    block = np.maximum(guests.await_ms - 1, 0) * 2.5
    drawing = (9 + 6 * demand.change) * guest_queue / (clock * speed_left) + 0.5 * guests.ready + block
    echo = update + drawing * (1 + LEAK_FACTOR * guests.shortage**2 * 8) + drivers.more("guest_echo_ms")
    cycle = np.maximum(REFRESH_MS, connect + mainloop + stretched + transfer)
    fps = np.minimum(1000 / cycle, 1000 / np.maximum(stretched, REFRESH_MS)) * (1 - 0.5 * hit)
    fps = fps * drivers.more("guest_fps") * (1 - drivers.more("guest_hang"))
    unsteady = 0.6 + 8 * hit + 0.05 * mainloop + 6 * np.clip(worker - 0.8, 0, 1) + 0.12 * jitter
    return Consoles(
        connect=connect,
        mainloop=mainloop,
        update=update,
        echo=echo,
        fps=np.clip(fps, 0.0, 33.3),
        fps_stddev=np.minimum(unsteady, 14),
        update_kib=update_kib,
        sent_kbs=demand.clients * np.minimum(update_kib * fps / 12, bandwidth),
        worker=100 * worker,
    )


def _mainloop(drivers: Drivers, hosts: Hosts, guests: Guests, layout: Layout, rng: Draws) -> Array:
    """Wait for QEMU's main loop: scheduling lags ready time, swap and quota dominate, disk work couples in a little."""
    shape = guests.cpu.shape
    scheduling = 0.04 * guests.ready + 0.5 * np.maximum(layout.felt(hosts.ready) - 10, 0)
    swapped = 220 * layout.felt(hosts.pressure) * rng.lognormal(-0.2, 0.6, shape)
    coupled = 0.15 * np.maximum(layout.felt(hosts.await_ms) - 5, 0)
    stalled = drivers.throttle + drivers.more("guest_mainloop_ms") + drivers.on_guests("host_stall_ms", layout)
    wait: Array = 0.25 * rng.lognormal(0, 0.4, shape) + scheduling + swapped + coupled + stalled
    return wait
