"""Measurements of disks, file systems, interfaces and paths of hosts."""

from collections.abc import Iterator

import numpy as np

from brownout.ingest.line_protocol import Points
from brownout.simulation.layout.fleet_layout import POOL, VANTAGE
from brownout.simulation.telegraf.writer import Array, Integers, Writer, whole

__all__ = ["disks", "interfaces", "links", "paths"]

MEMBERS = 8
"""Disks of an array."""
SMART_S = 600
"""Seconds between two readings of SMART attributes."""

PACKET_BYTES = 800
"""Mean size of a packet, between an acknowledgement and a full frame."""
TTL = 61
"""Linux answers with 64, and three routers lie between."""


def disks(writer: Writer) -> Iterator[Points]:
    """Inputs diskio, smart and mdstat; an array and its disks are one here, and every disk may be an array."""
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
    if "disk_bad_sectors" not in writer:
        return
    bad = whole(writer["disk_bad_sectors"])
    for number, name, count in (
        ("5", "Reallocated_Sector_Ct", bad - bad // 3),
        ("197", "Current_Pending_Sector", bad // 3),
        ("194", "Temperature_Celsius", np.full_like(bad, 35)),
    ):
        attribute_tags = [{"host": tag["host"], "device": tag["name"], "id": number, "name": name} for tag in tags]
        yield writer.points("smart_attribute", attribute_tags, {"raw_value": count}, every_s=SMART_S)
    arrays = [{"host": tag["host"], "Name": tag["name"], "ActivityState": "active"} for tag in tags]
    working = MEMBERS - whole(writer["disk_degraded"])
    array = {"DisksTotal": np.full_like(working, MEMBERS), "DisksActive": working}
    yield writer.points("mdstat", arrays, array)
    yield writer.labelled("disk_config", tags, {"scheduler": "scheduler", "medium": "medium"})


def paths(writer: Writer) -> Iterator[Points]:
    """Input disk."""
    tags = [
        {"host": entity.parent, "path": POOL, "device": "dm-1", "fstype": "xfs", "mode": "rw"}
        for entity in writer.panel.entities
    ]
    yield writer.points("disk", tags, {"used_percent": writer["disk_used_pct"]})


def interfaces(writer: Writer) -> Iterator[Points]:
    """Inputs net and bond; a bond has two members."""
    tags = [{"host": entity.parent, "interface": entity.id.rpartition("/")[2]} for entity in writer.panel.entities]
    drops = writer["net_drop_per_s"]
    speed = (
        whole(writer["net_speed_mbits"]) if "net_speed_mbits" in writer else writer.spread(writer.label("speed_mbits"))
    )
    fields: dict[str, Array | Integers] = {
        "bytes_recv": writer.counter(writer["net_rx_kbs"] * 1024),
        "bytes_sent": writer.counter(writer["net_tx_kbs"] * 1024),
        "drop_in": writer.counter(np.zeros_like(drops)),
        "drop_out": writer.counter(drops),
        "speed": speed,
    }
    if "net_err_per_s" in writer:
        errors = writer["net_err_per_s"]
        fields |= {"err_in": writer.counter(errors), "err_out": writer.counter(np.zeros_like(errors))}
    fields["packets_recv"] = writer.counter(writer["net_rx_kbs"] * 1024 / PACKET_BYTES)
    yield writer.points("net", tags, fields)
    if "net_slaves_down" in writer:
        down = whole(writer["net_slaves_down"])
        for member, status in (("eno1", np.ones_like(down)), ("eno2", 1 - down)):
            member_tags = [{"host": tag["host"], "bond": tag["interface"], "interface": member} for tag in tags]
            yield writer.points("bond_slave", member_tags, {"status": status})


def links(writer: Writer) -> Iterator[Points]:
    """Input ping, of the machine that consoles are opened from."""
    yield writer.points(
        "ping",
        [{"host": VANTAGE, "url": entity.parent} for entity in writer.panel.entities],
        {
            "average_response_ms": writer["link_rtt_ms"],
            "standard_deviation_ms": writer["link_jitter_ms"],
            "percent_packet_loss": writer["link_loss_pct"],
            "ttl": whole(np.where(np.isfinite(writer["link_rtt_ms"]), TTL, np.nan)),
            "result_code": _result_code(writer),
        },
    )


def _result_code(writer: Writer) -> Integers:
    """1 where nothing answers: what the input writes of a host that it cannot reach."""
    gone = writer["link_unreachable_pct"] > 0 if "link_unreachable_pct" in writer else False
    return whole(np.where(np.isfinite(writer["link_loss_pct"]), np.where(gone, 1, 0), np.nan))
