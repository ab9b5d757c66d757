"""What came of a connection, as points of ``console_probe``: pure functions of a record."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from brownout.ingest.line_protocol import tag_text
from brownout.probe.link.connection import Record
from brownout.probe.protocols.failures import CODES
from brownout.probe.protocols.rfb import RfbReport
from brownout.probe.protocols.wire import Mark, Stage
from brownout.probe.target import Target

__all__ = ["Mode", "Point", "line", "points_of"]

MEASUREMENT = "console_probe"
HANDSHAKE, UPDATE, FULL, WINDOW, CANARY = "handshake", "update", "full", "window", "canary"
Mode = str
Fields = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of ``console_probe``; ``time_ns`` is when the connection began."""

    mode: Mode
    result: str
    tags: Mapping[str, str]
    fields: Fields = field(default_factory=dict)
    time_ns: int = 0


def points_of(target: Target, record: Record, report: RfbReport | None, common: Mapping[str, str]) -> list[Point]:
    """A point for each mode that the connection came to; the one of ``handshake`` always.

    A mode that was planned and not come to because an earlier stage failed has none: nothing was measured of it.
    """
    reached = {mark.stage: mark for mark in record.marks}
    stages = _stages(target, record, reached)
    parts = [(HANDSHAKE, _shaken(record, reached), stages)]
    if report is not None and Stage.NEGOTIATED in reached and not report.locked:
        parts += list(_sessions(target, record, reached, report, stages))
    points = []
    for mode, result, fields in parts:
        # A later stage's failure is that of its own mode alone.
        more: Fields = {} if result == "success" else {"failed_at": record.failed_at}
        if result in CODES:
            more["result_code"] = CODES[result]
        tags = {**common, **_names(target), "mode": mode, "result": result}
        points.append(Point(mode, result, tags, {**more, **fields}, record.time_ns))
    return points


def line(point: Point, *, nanoseconds: bool = True) -> str:
    """Line protocol; times in milliseconds where the database's writer wants them."""
    fields = ",".join(f"{name}={_value(value)}" for name, value in point.fields.items())
    time = point.time_ns if nanoseconds else point.time_ns // 1_000_000
    return f"{MEASUREMENT}{tag_text(point.tags)} {fields} {time}"


def _names(target: Target) -> dict[str, str]:
    return {
        "hypervisor": target.hypervisor or ("" if target.transport in {"unix", "ws"} else target.host),
        "domain_name": target.name,
        "protocol": target.protocol,
        "transport": target.transport,
    } | ({"vantage": target.vantage} if target.vantage else {})


def _shaken(record: Record, reached: Mapping[Stage, Mark]) -> str:
    """A handshake is done once the server has said how it can be logged in to, in words that are not a refusal."""
    later = Stage.NEGOTIATED in reached and record.failed_at != "negotiate" and record.result != "refused"
    return "success" if later else record.result


def _stages(target: Target, record: Record, reached: Mapping[Stage, Mark]) -> Fields:
    """Milliseconds of each stage that was reached, and what the kernel measured."""
    fields: Fields = {}
    if record.dns_ms is not None:
        fields["dns_ms"] = record.dns_ms
    if record.connected is None or record.began is None:
        return fields
    fields["tcp_connect_ms"] = connect = 1000 * (record.connected - record.began)
    if record.opened is not None:
        if record.opened > record.connected and (target.transport == "ws" or target.protocol == "spice"):
            fields["auth_ms"] = 1000 * (record.opened - record.connected)
        before = record.opened
        for stage, name in ((Stage.BANNER, "banner_ms"), (Stage.NEGOTIATED, "negotiate_ms")):
            if stage in reached:
                fields[name] = 1000 * (reached[stage].at - before)
                before = reached[stage].at
        waits = [float(fields[name]) for name in ("banner_ms", "negotiate_ms") if name in fields]
        if Stage.NEGOTIATED in reached and target.transport != "ws":
            fields["mainloop_wait_ms"] = max(0.0, min(waits) - connect)
    if record.tcp is not None:
        fields["tcpi_rtt_ms"] = record.tcp.rtt_ms
        fields["tcpi_rttvar_ms"] = record.tcp.rttvar_ms
        fields["tcpi_total_retrans"] = record.tcp.retransmits
    return fields


def _sessions(
    target: Target, record: Record, reached: Mapping[Stage, Mark], report: RfbReport, stages: Fields
) -> Iterable[tuple[Mode, str, Fields]]:
    """Modes that open a session."""
    negotiated = reached[Stage.NEGOTIATED].at
    fields: Fields = {}
    if target.transport != "ws":  # the proxy's own times are told once, by the handshake
        fields |= stages
    if Stage.AUTHENTICATED in reached and target.transport != "ws":
        fields["auth_ms"] = 1000 * (reached[Stage.AUTHENTICATED].at - negotiated)
    if Stage.INITIALISED in reached:
        before = reached[Stage.AUTHENTICATED].at if target.transport != "ws" else negotiated
        fields["init_ms"] = 1000 * (reached[Stage.INITIALISED].at - before)
        if record.connected is not None:
            fields["handshake_ms"] = 1000 * (reached[Stage.INITIALISED].at - record.connected)
        fields |= {"width": report.width, "height": report.height}
    if Stage.REQUESTED not in reached and record.result == "success":
        return
    yield UPDATE, _until(Stage.UPDATED, record, reached), fields | _update(reached, report)
    if Stage.FULL_REQUESTED in reached:
        yield FULL, _until(Stage.FULL, record, reached), _span(reached, Stage.FULL_REQUESTED, Stage.FULL, "frame")
    if Stage.KEY_SENT in reached:
        echo = _span(reached, Stage.KEY_SENT, Stage.ECHO, "echo")
        yield CANARY, _until(Stage.ECHO, record, reached), {k: v for k, v in echo.items() if k == "echo_ms"}
    if Stage.WINDOW in reached:
        yield WINDOW, record.result, _window(record)


def _until(stage: Stage, record: Record, reached: Mapping[Stage, Mark]) -> str:
    return "success" if stage in reached else record.result


def _update(reached: Mapping[Stage, Mark], report: RfbReport) -> Fields:
    """The first update; a fresh connection wakes QEMU's refresh timer, so the screen is awake."""
    if Stage.UPDATED not in reached:
        return {}
    request = reached[Stage.REQUESTED]
    fields: Fields = {}
    if Stage.FIRST_BYTE in reached:
        fields["first_byte_ms"] = 1000 * (reached[Stage.FIRST_BYTE].at - request.at)
    return fields | {
        "update_latency_ms": 1000 * (reached[Stage.UPDATED].at - request.at),
        "update_bytes": reached[Stage.UPDATED].bytes_read - request.bytes_read,
        "rects": report.rects,
        "refresh_awake": 1,
    }


def _span(reached: Mapping[Stage, Mark], start: Stage, end: Stage, name: str) -> Fields:
    if end not in reached:
        return {}
    return {
        f"{name}_ms": 1000 * (reached[end].at - reached[start].at),
        f"{name}_bytes": reached[end].bytes_read - reached[start].bytes_read,
    }


def _window(record: Record) -> Fields:
    """Frames of a window: their number, their spread, bytes a second; rates only where it was not cut to nothing."""
    start = next(mark for mark in record.marks if mark.stage is Stage.WINDOW)
    frames = [mark for mark in record.marks if mark.stage is Stage.FRAME]
    seconds = (record.ended or start.at) - start.at
    if seconds <= 0:
        return {"frames": len(frames)}
    fields: Fields = {"window_s": seconds, "frames": len(frames)}
    fields["fps"] = len(frames) / seconds
    fields["bytes_per_s"] = (frames[-1].bytes_read - start.bytes_read if frames else 0) / seconds
    between = [1000 * (after.at - before.at) for before, after in pairwise(frames)]
    if len(between) > 1:
        ordered = sorted(between)
        fields["interframe_p50_ms"] = statistics.median(ordered)
        fields["interframe_p95_ms"] = ordered[round(0.95 * (len(ordered) - 1))]
        fields["interframe_max_ms"] = ordered[-1]
        fields["jitter_ms"] = statistics.fmean(abs(after - before) for before, after in pairwise(between))
        fields["fps_stddev"] = statistics.pstdev(_a_second(frames, start.at, seconds))
    return fields


def _a_second(frames: list[Mark], start: float, seconds: float) -> list[int]:
    """Frames in each whole second of the window."""
    counts = [0] * max(1, int(seconds))
    for frame in frames:
        second = int(frame.at - start)
        if second < len(counts):
            counts[second] += 1
    return counts


def _value(value: float | str) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value}i" if isinstance(value, int) else repr(round(value, 3))
