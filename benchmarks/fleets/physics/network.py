"""Uplinks of hosts and paths from the probe: utilisation, queues, loss counted in whole packets."""

from dataclasses import dataclass

import numpy as np

from fleets.physics.world import Readings, World
from fleets.site.streams import Floats, counted, spikes

__all__ = ["Network", "network"]

PINGS_PER_S = 0.5
"""Five packets every ten seconds."""
BUFFER_MS = 140
"""Delay of a full buffer at the bottleneck."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Metrics, and what consoles need of the path to each host: round trip, chance of loss, share of the link free."""

    readings: Readings
    rtt_ms: Floats
    loss: Floats
    free_kbs: Floats


def network(world: World) -> Network:
    """Network metrics of all hosts, links and guests."""
    lever = world.levers.get
    alive = world.alive * (1 - np.minimum(lever("vm.hang"), 1))
    rx, tx = (
        (demand + lever(name)) * alive
        for demand, name in ((world.demand.rx_kbs, "vm.rx_kbs"), (world.demand.tx_kbs, "vm.tx_kbs"))
    )
    frames = 260 * world.demand.screen * (world.demand.viewers + lever("vm.viewers")) * lever("vm.update")
    up = world.on_hosts(tx + frames * world.alive) + 25 + lever("host.tx_kbs")
    down = world.on_hosts(rx) + 25 + lever("host.rx_kbs")
    speed = world.layout.host_column("link_mbits") * lever("host.link_speed") * (1 - 0.5 * lever("host.slaves_down"))
    room = speed * 1e6 / 8 / 1024
    load = np.maximum(up, down) / room
    full = np.clip((load - 0.88) / 0.12, 0, 1.5)
    queue = np.where(load < 0.97, 0.02 * load / np.maximum(1 - load, 0.03), 0.6) + BUFFER_MS * np.clip(
        load - 0.9, 0, 0.6
    )
    gone = np.clip(0.00008 + 0.004 * full**2 + lever("host.loss"), 0, 1)
    base = world.layout.host_column("rtt_ms") * np.exp(0.07 * world.noise("link_rtt_ms", "host"))
    tail = spikes(world.streams.of("link.tail"), world.host_shape, chance=0.006)
    rtt = base * tail + queue + lever("host.rtt_ms")
    links = _links(world, rtt, gone, queue)
    shrunk = np.maximum(load, 1)
    own = {
        "vm_net_rx_kbs": rx / world.at_guests(shrunk),
        "vm_net_tx_kbs": tx / world.at_guests(shrunk),
    }
    cards = _interfaces(world, up / shrunk, down / shrunk, (load, full, gone))
    free = room * np.maximum(1 - load, 0.02) * np.ones(world.host_shape, np.float32)
    return Network(readings={**links, **own, **cards}, rtt_ms=rtt, loss=gone, free_kbs=free)


def _links(world: World, rtt: Floats, gone: Floats, queue: Floats) -> Readings:
    sent = max(round(world.axis.interval_s * PINGS_PER_S), 1)
    lost = counted(world.streams.of("link_loss_pct"), sent, gone, world.host_shape)
    spread = 0.06 * world.layout.host_column("rtt_ms") + 0.05 + 0.35 * queue + world.levers.get("host.jitter_ms")
    jitter = spread * np.exp(0.3 * world.noise("link_jitter_ms", "host"))
    swing = 0.25 * world.levers.get("host.jitter_ms") * world.noise("link.swing", "host", tau_s=30)
    answered = lost < sent
    ttl = np.array([[host.ttl] for host in world.layout.hosts], np.float32) - np.round(world.levers.get("host.hops"))
    return {
        "link_rtt_ms": np.where(answered, np.maximum(rtt + swing, 0.1), np.nan).astype(np.float32),
        "link_jitter_ms": np.where(answered, jitter, np.nan).astype(np.float32),
        "link_loss_pct": (100 * lost / sent).astype(np.float32),
        "link_ttl": np.where(answered, ttl, np.nan).astype(np.float32),
    }


def _interfaces(world: World, up: Floats, down: Floats, state: tuple[Floats, Floats, Floats]) -> Readings:
    load, full, gone = state
    lever = world.levers.get
    packets = (up + down) / 0.9
    errors = packets * lever("host.err_ppm") / 1e6
    stray = world.uniform("net_drop_per_s", "host")
    drops = packets * 0.0004 * full * (0.5 + stray) + (stray < 0.01 + 0.1 * full) / world.axis.interval_s
    again = 0.03 + 45 * gone + 0.00035 * lever("host.err_ppm") + 1.2 * full
    speed = world.layout.host_column("link_mbits") * lever("host.link_speed") * (1 - 0.5 * lever("host.slaves_down"))
    held = np.broadcast_to(np.round(speed), world.host_shape)
    people = world.on_hosts((world.demand.viewers + lever("vm.viewers")) * world.alive)
    table = world.streams.of("conntrack").uniform(6, 22, (len(world.layout.hosts), 1)).astype(np.float32)
    flows = table * (
        0.6 + 0.4 * world.on_hosts(world.demand.activity) / len(world.layout.guests) * len(world.layout.hosts)
    )
    return {
        "net_tx_kbs": up * np.exp(0.05 * world.noise("net_tx_kbs", "host", tau_s=60)),
        "net_rx_kbs": down * np.exp(0.05 * world.noise("net_rx_kbs", "host", tau_s=60)),
        "net_util_pct": np.clip(100 * np.minimum(load, 1) * (1 + 0.04 * world.noise("net_util_pct", "host")), 0, 100),
        "net_drop_per_s": drops,
        "net_err_per_s": np.round(errors, 2) * np.ones(world.host_shape, np.float32),
        "net_bad_ppm": np.clip((1e6 * drops / np.maximum(packets, 1) + lever("host.err_ppm")), 0, 1e6),
        "net_speed_mbits": held,
        "net_slaves_down": np.round(lever("host.slaves_down")) * np.ones(world.host_shape, np.float32),
        "host_retrans_pct": np.clip(again * np.exp(0.4 * world.noise("host_retrans_pct", "host")), 0, 60),
        "host_softirq_pct": np.clip(2 + packets / 15_000 + world.noise("host_softirq_pct", "host") * 0.5, 0.2, 92),
        "host_tcp_established": np.round(45 + 3 * people + 2 * world.noise("host_tcp_established", "host")),
        "host_conntrack_pct": np.clip(
            flows + 0.4 * world.noise("host_conntrack_pct", "host") + lever("host.conntrack_pct"), 0, 100
        ),
        "host_close_wait": np.maximum(
            np.round(2 + 1.2 * world.noise("host_close_wait", "host") + lever("host.close_wait")), 0
        ),
        "host_sessions": people,
    }
