"""Faults of networks: paths that are long, lossy, jittery or dead, full links, broken cables, tables, the proxy."""

import numpy as np

from fleets.faults.kinds import FaultKind, Impact, Symptom

__all__ = ["NETWORK"]


def _longer(impact: Impact) -> None:
    """Another route: more hops, more distance."""
    impact.at_host("rtt_ms", (4 + 160 * impact.level**1.5) * impact.on)
    impact.at_host("hops", np.round(3 + 6 * impact.severity) * impact.on)


def _lossy(impact: Impact) -> None:
    """Packets are lost, in clusters."""
    clusters = impact.rng.gamma(0.9, 1 / 0.9, len(impact.level))
    impact.at_host("loss", np.clip((0.001 + 0.07 * impact.level**1.5) * clusters * impact.on, 0, 0.5))


def _dead(impact: Impact) -> None:
    """Nothing comes through."""
    impact.at_host("loss", impact.on)


def _jittery(impact: Impact) -> None:
    """Delay varies while the fastest packets are as fast as before."""
    wild = impact.rng.lognormal(0, 0.35, len(impact.level))
    impact.at_host("jitter_ms", (0.3 + 55 * impact.level**1.5) * wild * impact.on)
    impact.at_host("rtt_ms", 20 * impact.level**1.5 * wild * impact.on)


def _room_kbs(impact: Impact) -> float:
    return impact.hypervisor.link_mbits * 1e6 / 8 / 1024


def _full(impact: Impact) -> None:
    """The uplink is full, of the host's own traffic."""
    impact.at_host("tx_kbs", _room_kbs(impact) * (0.74 + 0.36 * impact.level) * impact.on)


def _noisy(impact: Impact) -> None:
    """One guest fills the uplink of all."""
    impact.at_guest("tx_kbs", _room_kbs(impact) * (0.76 + 0.34 * impact.level) * impact.on)


def _slow_link(impact: Impact) -> None:
    """The link came back at a tenth of its speed, and counts errors."""
    impact.levers.scale("host.link_speed", impact.host, impact.when, np.where(impact.on > 0, 0.1, 1).astype(np.float32))
    impact.at_host("err_ppm", 300 + 4000 * impact.level)
    impact.at_host("loss", 0.001 + 0.01 * impact.level)


def _cable(impact: Impact) -> None:
    """Frames arrive broken."""
    clusters = impact.rng.gamma(1.5, 1 / 1.5, len(impact.level))
    impact.at_host("err_ppm", (20 + 6000 * impact.level**1.6) * clusters * impact.on)
    impact.at_host("loss", 0.015 * impact.level**1.5 * clusters * impact.on)


def _bond(impact: Impact) -> None:
    """A member of the bond is down; half of the room is left, and it is used."""
    impact.at_host("slaves_down", impact.on)
    impact.at_host("tx_kbs", _room_kbs(impact) * (0.12 + 0.38 * impact.level) * impact.on)


def _table(impact: Impact) -> None:
    """Flows pile up until new connections find no place."""
    usual = impact.usual("host_conntrack_pct", impact.host)
    added = (102 - usual) * (0.72 + 0.28 * impact.severity) * impact.level / impact.severity
    impact.at_host("conntrack_pct", added)
    impact.at_host("syn_loss", 0.4 * np.clip((usual + added - 97) / 3, 0, 1))


def _sessions(impact: Impact) -> None:
    """Sessions that nobody closes pile up."""
    impact.at_host("close_wait", 2500 * impact.level)


def _proxy(impact: Impact) -> None:
    """The console proxy of the site is at its limit: direct connections are as fast as ever."""
    for host, other in enumerate(impact.layout.hosts):
        if other.site == impact.hypervisor.site:
            wild = impact.rng.lognormal(0, 0.4, len(impact.level)).astype(np.float32)
            impact.levers.add("host.proxy_ms", host, impact.when, (15 + 400 * impact.level) * wild * impact.on)


NETWORK = (
    FaultKind(
        name="longer-path", cause="NET-01", family="network", target="link", act=_longer, hours=(1, 30),
        shows=(Symptom(metric="link_rtt_ms"), Symptom(metric="link_ttl", worse="down")),
    ),
    FaultKind(
        name="packet-loss", cause="NET-03", family="network", target="link", act=_lossy,
        shapes=("step", "intermittent"), hours=(1, 12),
        shows=(Symptom(metric="link_loss_pct"), Symptom(metric="host_retrans_pct", where="host")),
    ),
    FaultKind(
        name="path-dead", cause="NET-03", family="network", target="link", act=_dead, hours=(0.3, 3),
        also=("NET-11", "MAINT-01", "MAINT-07"),
        shows=(Symptom(metric="link_loss_pct"), Symptom(metric="console_failed_pct", where="consoles")),
    ),
    FaultKind(
        name="jitter", cause="NET-04", family="network", target="link", act=_jittery, shapes=("step", "intermittent"),
        hours=(1, 12), shows=(Symptom(metric="link_jitter_ms"),),
    ),
    FaultKind(
        name="uplink-full", cause="NET-02", family="network", target="interface", act=_full,
        shapes=("step", "intermittent", "ramp"), hours=(0.7, 7), shows=(Symptom(metric="net_util_pct"),),
    ),
    FaultKind(
        name="noisy-neighbour-network", cause="CONT-03", family="network", target="vm", act=_noisy,
        shapes=("step", "intermittent"), hours=(0.7, 7), fits=("db", "ci", "web"),
        shows=(Symptom(metric="vm_net_tx_kbs"), Symptom(metric="net_util_pct", where="interface")),
    ),
    FaultKind(
        name="link-at-lower-speed", cause="NET-06", family="network", target="interface", act=_slow_link,
        hours=(2, 30), shows=(Symptom(metric="net_speed_mbits", worse="down"), Symptom(metric="net_bad_ppm")),
    ),
    FaultKind(
        name="broken-cable", cause="MAINT-01", family="network", target="interface", act=_cable,
        shapes=("step", "intermittent"), hours=(2, 40),
        shows=(Symptom(metric="net_err_per_s"), Symptom(metric="host_retrans_pct", where="host")),
    ),
    FaultKind(
        name="bond-lost-member", cause="NET-11", family="network", target="interface", act=_bond, hours=(2, 30),
        shows=(Symptom(metric="net_slaves_down"),),
    ),
    FaultKind(
        name="conntrack-fills", cause="NET-08", family="network", target="host", act=_table, shapes=("ramp",),
        hours=(8, 40), ramp="host_conntrack_pct", shows=(Symptom(metric="host_conntrack_pct"),),
    ),
    FaultKind(
        name="sessions-pile-up", cause="LEAK-03", family="network", target="host", act=_sessions, shapes=("ramp",),
        hours=(20, 90), shows=(Symptom(metric="host_close_wait"),),
    ),
    FaultKind(
        name="slow-proxy", cause="NET-09", family="network", target="site", act=_proxy,
        shapes=("step", "intermittent"), hours=(1, 9),
        shows=(Symptom(metric="console_proxied_ms", where="consoles"),),
    ),
)  # fmt: skip
