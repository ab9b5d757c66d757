import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.ingest.mapping import TelegrafMapping
from brownout.probe.link.connection import Record
from brownout.probe.link.stamps import TcpInfo
from brownout.probe.points import Point, line, points_of
from brownout.probe.protocols.rfb import RfbReport
from brownout.probe.protocols.wire import Mark, Stage
from brownout.probe.target import Target, parse_target

COMMON = {"host": "probe-a", "vantage": "office"}
VNC = parse_target("vnc://10.0.0.1:5901 domain_name=vm01 hypervisor=kvm1")
SPICE = parse_target("spice://10.0.0.1:5930 domain_name=vm02 hypervisor=kvm1")
PROXY = parse_target("wss://proxy:443/?token=s3cret domain_name=vm01 hypervisor=kvm1")


def marks(*stages: Stage, start: float = 10.0, apart: float = 0.001, taken: int = 100) -> list[Mark]:
    return [Mark(stage, start + apart * (number + 1), taken * (number + 1)) for number, stage in enumerate(stages)]


OPENED = (Stage.BANNER, Stage.NEGOTIATED, Stage.AUTHENTICATED, Stage.INITIALISED, Stage.REQUESTED)
DRAWN = (*OPENED, Stage.FIRST_BYTE, Stage.UPDATED)


def record(found: list[Mark], **more: object) -> Record:
    made = Record(time_ns=1_795_838_400_123_456_789, dns_ms=0.1, began=9.9995, connected=10.0, opened=10.0, ended=20.0)
    made.marks = found
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_the_stages_are_told_apart() -> None:
    tcp = TcpInfo(rtt_ms=0.4, rttvar_ms=0.1, retransmits=2)
    handshake, update = points_of(VNC, record(marks(*DRAWN), tcp=tcp), RfbReport(64, 48, rects=1), COMMON)
    assert handshake.tags == {
        "host": "probe-a", "vantage": "office", "hypervisor": "kvm1", "domain_name": "vm01", "protocol": "vnc",
        "transport": "tcp", "mode": "handshake", "result": "success",
    }  # fmt: skip
    assert {name: round(float(value), 6) for name, value in handshake.fields.items()} == {
        "result_code": 0, "dns_ms": 0.1, "tcp_connect_ms": 0.5, "banner_ms": 1.0, "negotiate_ms": 1.0,
        "mainloop_wait_ms": 0.5, "tcpi_rtt_ms": 0.4, "tcpi_rttvar_ms": 0.1, "tcpi_total_retrans": 2,
    }  # fmt: skip
    assert update.mode == "update"
    own = {name: round(float(value), 6) for name, value in update.fields.items() if name not in handshake.fields}
    assert own == {
        "auth_ms": 1.0, "init_ms": 1.0, "handshake_ms": 4.0, "width": 64, "height": 48,
        "first_byte_ms": 1.0, "update_latency_ms": 2.0, "update_bytes": 200, "rects": 1, "refresh_awake": 1,
    }  # fmt: skip


def test_the_hypervisor_is_told_from_the_network() -> None:
    """A handshake is four round trips: a delay of the network cancels out of handshake − 4 × connect."""
    near = record(marks(*DRAWN), began=9.9995)
    far = record(marks(*DRAWN, apart=0.026), began=9.9745)
    waits = []
    for one in (near, far):
        update = points_of(VNC, one, RfbReport(1, 1), COMMON)[1].fields
        waits.append(float(update["handshake_ms"]) - 4 * float(update["tcp_connect_ms"]))
    assert waits == pytest.approx([2.0, 2.0])


def test_spice_has_no_banner() -> None:
    (point,) = points_of(SPICE, record(marks(Stage.NEGOTIATED, apart=0.012)), None, COMMON)
    assert "banner_ms" not in point.fields
    assert "auth_ms" not in point.fields
    assert float(point.fields["negotiate_ms"]) == pytest.approx(12.0)


def test_the_proxys_part_is_told_once_and_shows_no_token() -> None:
    through = record(marks(*DRAWN, start=10.03), opened=10.03)
    handshake, update = points_of(PROXY, through, RfbReport(1, 1), COMMON)
    assert handshake.tags["transport"] == "ws"
    assert float(handshake.fields["auth_ms"]) == pytest.approx(30.0)
    assert "auth_ms" not in update.fields
    assert "tcp_connect_ms" not in update.fields
    assert "s3cret" not in line(handshake) + line(update) + repr(PROXY)


@pytest.mark.parametrize(
    ("found", "result", "expected"),
    [
        ((), "timeout", [("handshake", 1)]),
        ((Stage.BANNER,), "reset", [("handshake", 3)]),
        (OPENED[:2], "auth_failed", [("handshake", 0), ("update", 4)]),
        (OPENED, "timeout", [("handshake", 0), ("update", 1)]),
        ((*DRAWN, Stage.FULL_REQUESTED), "timeout", [("handshake", 0), ("update", 0), ("full", 1)]),
        ((*DRAWN, Stage.KEY_SENT), "timeout", [("handshake", 0), ("update", 0), ("canary", 1)]),
        ((*DRAWN, Stage.KEY_SENT, Stage.ECHO), "success", [("handshake", 0), ("update", 0), ("canary", 0)]),
    ],
)
def test_a_failure_belongs_to_the_mode_that_it_happened_in(
    found: tuple[Stage, ...], result: str, expected: list[tuple[str, int]]
) -> None:
    one = record(marks(*found), result=result, failed_at="" if result == "success" else "update")
    points = points_of(VNC, one, RfbReport(1, 1), COMMON)
    assert [(point.mode, point.fields["result_code"]) for point in points] == expected


def test_a_console_that_may_not_be_opened_is_no_failed_one() -> None:
    report = RfbReport(locked="it wants a password")
    assert [p.mode for p in points_of(VNC, record(marks(*OPENED[:2])), report, COMMON)] == ["handshake"]


def test_frames_of_a_window_are_counted() -> None:
    """25 frames a second for two seconds, then none for eight."""
    frames = [Mark(Stage.FRAME, 10.1 + 0.04 * (number + 1), 1000 * (number + 1)) for number in range(50)]
    found = [*marks(*DRAWN), Mark(Stage.WINDOW, 10.1, 0), *frames]
    window = points_of(VNC, record(found, ended=20.1), RfbReport(1, 1), COMMON)[-1]
    assert window.mode == "window"
    assert window.fields["frames"] == 50
    assert float(window.fields["fps"]) == pytest.approx(5.0)
    assert float(window.fields["bytes_per_s"]) == pytest.approx(5000.0)
    assert float(window.fields["interframe_p50_ms"]) == pytest.approx(40.0)
    assert float(window.fields["jitter_ms"]) == pytest.approx(0.0, abs=1e-6)
    assert float(window.fields["fps_stddev"]) == pytest.approx(10.0, abs=0.5)


def test_an_idle_screen_has_a_window_without_frames() -> None:
    found = [*marks(*DRAWN), Mark(Stage.WINDOW, 10.1, 0)]
    window = points_of(VNC, record(found, ended=15.1), RfbReport(1, 1), COMMON)[-1]
    assert window.fields["frames"] == 0
    assert "jitter_ms" not in window.fields


def test_all_metrics_that_a_probe_can_tell_are_read_by_the_mapping() -> None:
    found = [*marks(*DRAWN, Stage.FULL_REQUESTED, Stage.FULL, Stage.KEY_SENT, Stage.ECHO), Mark(Stage.WINDOW, 10.1, 0)]
    found += [Mark(Stage.FRAME, 10.2 + number / 10, 1000 * number) for number in range(20)]
    points = [point for target in (VNC, PROXY) for point in points_of(target, record(found), RfbReport(1, 1), COMMON)]
    proxied = record(marks(*DRAWN, start=10.03), opened=10.03)
    points += points_of(PROXY, proxied, RfbReport(1, 1), COMMON)
    missing = set()
    for source in TelegrafMapping.load().sources:
        if source.measurement == "console_probe":
            written = {name for point in points if source.takes(point.tags) for name in point.fields}
            missing |= {field for metric in source.metrics.values() for field in metric.fields} - written
    assert missing == {"probe_lag_ms"}  # which the prober adds to all points


@given(st.text(min_size=1), st.text())
def test_no_name_breaks_a_line(name: str, text: str) -> None:
    target = Target(protocol="vnc", transport="tcp", host="h", port=1, domain_name=name)
    (point,) = points_of(target, record([], result="timeout", failed_at=text), None, COMMON)
    written = line(point)
    assert "\n" not in written.replace(text, "")
    assert written.endswith(" 1795838400123456789")


def test_numbers_are_written_as_telegraf_does() -> None:
    point = Point("handshake", "success", {"host": "a"}, {"result_code": 0, "x_ms": 1.23456, "why": 'a"b\\'}, 5_000_000)
    assert line(point) == 'console_probe,host=a result_code=0i,x_ms=1.235,why="a\\"b\\\\" 5000000'
    assert line(point, nanoseconds=False).endswith(" 5")
    assert math.isfinite(float(point.fields["x_ms"]))
