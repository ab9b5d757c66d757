"""Measurements of consoles: those of the probe, and of the threads that encode screens."""

from collections.abc import Iterator

from brownout.ingest.line_protocol import Points
from brownout.simulation.layout.fleet_layout import VANTAGE
from brownout.simulation.telegraf.writer import Array, Integers, Writer, whole

__all__ = ["consoles"]

HANDSHAKE_S = 10
"""Seconds between two attempts to open a console."""
FULL_FRAMES = 20
"""Full frames asked for in a slot where some never arrive."""

Tags = list[dict[str, str]]


def consoles(writer: Writer) -> Iterator[Points]:
    """All measurements of consoles."""
    entities = writer.panel.entities
    names = [{"domain_name": entity.parent, "protocol": entity.labels["protocol"]} for entity in entities]
    at = [writer.topology[entity.parent].parent for entity in entities]
    common = [
        name | {"host": VANTAGE, "vantage": VANTAGE, "hypervisor": host, "transport": "tcp", "result": "success"}
        for name, host in zip(names, at, strict=True)
    ]
    yield from _stages(writer, common)
    sessions = [name | {"host": host} for name, host in zip(names, at, strict=True)]
    clients = {"clients": whole(writer["console_clients"])}
    more = {"displaced": writer.events(writer["console_drops_per_h"])} if "console_drops_per_h" in writer else {}
    yield writer.points("console_session", sessions, {**clients, **more})
    guests = [{"host": tags["host"], "domain_name": tags["domain_name"]} for tags in sessions]
    threads = [tags | {"thread": "vnc_worker 0"} for tags in guests]
    yield writer.points("qemu_thread", threads, {"cpu_seconds": writer.seconds(writer["console_worker_pct"] / 100)})
    if "console_agent" in writer:
        agent_fields = {"agent": whole(writer["console_agent"]), "low_bandwidth": whole(writer["console_lowbw"])}
        yield writer.points("vm_state", guests, agent_fields)
        yield from _results(writer, common)


def _stages(writer: Writer, common: Tags) -> Iterator[Points]:
    connect, wait = writer["console_connect_ms"], writer["console_mainloop_ms"]
    update: dict[str, Array | Integers] = {
        "tcp_connect_ms": connect,
        "banner_ms": connect + wait,
        "negotiate_ms": connect + wait + 0.3,
        "update_latency_ms": writer["console_update_ms"],
        "update_bytes": whole(writer["console_update_kib"] * 1024),
    }
    if "console_awake" in writer:
        update |= {"refresh_awake": whole(writer["console_awake"]), "probe_lag_ms": writer["console_probe_lag_ms"]}
    yield writer.points("console_probe", [tags | {"mode": "update"} for tags in common], update)
    echo = [tags | {"mode": "canary"} for tags in common]
    yield writer.points("console_probe", echo, {"echo_ms": writer["console_echo_ms"]})
    window = {
        "fps": writer["console_fps"],
        "fps_stddev": writer["console_fps_stddev"],
        "bytes_per_s": writer["console_sent_kbs"] * 1024,
    }
    yield writer.points("console_probe", [tags | {"mode": "window"} for tags in common], window)


def _results(writer: Writer, common: Tags) -> Iterator[Points]:
    """What attempts came to, and the way through the proxy."""
    handshakes = max(writer.panel.interval_s // HANDSHAKE_S, 1)
    for mode, metric, number in (
        ("handshake", "console_failed_pct", handshakes),
        ("full", "console_stalled_pct", FULL_FRAMES),
        ("canary", "console_echo_lost_pct", 1),
    ):
        failed = whole(writer[metric] / 100 * number)
        yield writer.attempts("console_probe", [tags | {"mode": mode} for tags in common], failed, number)
    proxied = [tags | {"mode": "handshake", "transport": "ws", "vantage": "proxy"} for tags in common]
    through = writer["console_proxied_ms"]
    yield writer.points("console_probe", proxied, {"tcp_connect_ms": 0.4 * through, "auth_ms": 0.6 * through})
