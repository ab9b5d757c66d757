"""The probe against real servers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from select import select

import numpy as np
import pytest
from console_servers import certificates, documented, need, qemu, tigervnc, viewer, websockify, x11vnc
from influx import PASSWORD as INFLUX_PASSWORD
from influx import Influx
from servers import free_port

from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import TelegrafMapping

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'brownout'; from brownout.cli import main; main()", "probe"]
PASSWORD = "s3cret"  # noqa: S105 - of servers that live for one test
WRONG = "no"


def probe(*words: str, expect: int = 0, password: str = "") -> tuple[list[dict[str, str]], str]:
    """Points as flat tables of tags and fields, and what was said on standard error."""
    environment = {**os.environ, "BROWNOUT_VNC_PASSWORD": password}
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == expect, done.stderr
    return [point(text) for text in done.stdout.splitlines()], done.stderr


def point(text: str) -> dict[str, str]:
    head, fields, _ = re.split(r"(?<!\\) ", text)
    return dict(pair.split("=", 1) for pair in [*head.split(",")[1:], *fields.split(",")])


def results(points: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["mode"], one["result"]) for one in points]


def test_a_vnc_console_of_qemu_is_opened_and_drawn(tmp_path: Path) -> None:
    consoles = tmp_path / "consoles"
    with qemu(tmp_path) as port:
        consoles.write_text(f"vnc://127.0.0.1:{port} domain_name=vm01 hypervisor=kvm1\n")
        points, said = probe(*documented(containing="--modes handshake", consoles=consoles), "--count", "1")
    assert said == ""
    assert results(points) == [(mode, "success") for mode in ("handshake", "update", "full", "window")]
    update = points[1]
    assert 0 < float(update["update_latency_ms"]) < 2000
    assert float(update["handshake_ms"]) >= float(update["banner_ms"]) + float(update["negotiate_ms"])
    assert int(update["width"][:-1]) >= 640
    assert int(points[2]["frame_bytes"][:-1]) >= 640 * 350 * 4
    assert 4.5 < float(points[3]["window_s"]) < 6


def test_a_spice_console_of_qemu_is_asked_and_left(tmp_path: Path) -> None:
    with qemu(tmp_path, spice="disable-ticketing=on") as port:
        points, _ = probe(f"spice://127.0.0.1:{port}", "--count", "2", "--interval", "0.5")
    assert results(points) == [("handshake", "success")] * 2
    assert all(0 < float(one["negotiate_ms"]) < 2000 for one in points)
    assert all("banner_ms" not in one for one in points)


@pytest.mark.parametrize("shared", [True, False])
def test_a_user_of_qemu_stays_connected(tmp_path: Path, *, shared: bool) -> None:
    modes = "handshake,update,full"
    with qemu(tmp_path) as port, viewer(port, shared=shared) as user:
        points, _ = probe(f"vnc://127.0.0.1:{port}", "--count", "3", "--interval", "0.3", "--modes", modes)
        assert user.alive()
    assert results(points).count(("handshake", "success")) == 3
    # Who has the console to himself keeps it: QEMU turns the probe away.
    assert ("update", "success" if shared else "reset") in results(points)


@pytest.mark.parametrize("options", [(), ("-AlwaysShared",), ("-NeverShared", "-DisconnectClients=0")])
def test_a_user_of_tigervnc_stays_connected(tmp_path: Path, options: tuple[str, ...]) -> None:
    with tigervnc(tmp_path, "-SecurityTypes", "None", *options) as port, viewer(port, shared=True) as user:
        points, _ = probe(f"vnc://127.0.0.1:{port}", "--count", "2", "--interval", "0.3")
        assert user.alive()
    assert results(points).count(("handshake", "success")) == 2


def test_a_server_that_would_disconnect_users_is_told_and_can_be_spared(tmp_path: Path) -> None:
    """TigerVNC with -NeverShared throws out whoever is there, whatever a viewer asks for."""
    options = ("-SecurityTypes", "None", "-NeverShared")
    with tigervnc(tmp_path, *options) as port, viewer(port, shared=True) as user:
        targets = tmp_path / "targets"
        targets.write_text(f"vnc://127.0.0.1:{port} modes=handshake")
        spared, _ = probe(str(targets), "--count", "2", "--interval", "0.3")
        assert user.alive()
        assert results(spared) == [("handshake", "success")] * 2
        _, said = probe(f"vnc://127.0.0.1:{port}", "--count", "1")
    assert "modes=handshake" in said


def test_a_server_that_counts_handshakes_as_failed_logins_is_left_alone(tmp_path: Path) -> None:
    need("vncpasswd")
    password = tmp_path / "password"
    subprocess.run(["vncpasswd", password], input=f"{PASSWORD}\n{PASSWORD}\nn\n", text=True, check=True)
    with tigervnc(tmp_path, "-SecurityTypes", "VncAuth", "-PasswordFile", str(password)) as port:
        unknown, said = probe(f"vnc://127.0.0.1:{port}", "--count", "12", "--interval", "0.2")
    assert results(unknown).count(("handshake", "refused")) == 1
    assert "failed logins" in said


@pytest.mark.parametrize("options", [(), ("-noshared",)])
def test_a_user_of_x11vnc_stays_connected(tmp_path: Path, options: tuple[str, ...]) -> None:
    with x11vnc(tmp_path, *options) as port, viewer(port, shared=True) as user:
        points, _ = probe(f"vnc://127.0.0.1:{port}", "--count", "2", "--interval", "0.3")
        assert user.alive()
    assert results(points).count(("handshake", "success")) == 2


def test_a_key_shows_in_a_guest_that_is_prepared_and_in_no_other(tmp_path: Path) -> None:
    with x11vnc(tmp_path) as port:
        address = f"vnc://127.0.0.1:{port} domain_name=canary"
        targets = tmp_path / "targets"
        targets.write_text(address)
        with_key, _ = probe(str(targets), "--count", "1", "--inject", "canary")
        without, _ = probe(str(targets), "--count", "1", "--inject", "another")
    assert results(with_key) == [(mode, "success") for mode in ("handshake", "update", "canary")]
    assert 0 < float(with_key[2]["echo_ms"]) < 2000
    assert results(without) == [(mode, "success") for mode in ("handshake", "update")]


def test_through_websockify_is_a_vantage_of_its_own(tmp_path: Path) -> None:
    with qemu(tmp_path) as console, websockify(tmp_path, console) as port:
        direct, _ = probe(f"vnc://127.0.0.1:{console}", "--count", "1")
        proxied, _ = probe(f"ws://127.0.0.1:{port}/websockify", "--count", "1")
        page = f"http://127.0.0.1:{port}/vnc_auto.html?path=%3Ftoken%3Dabc"
        of_page, _ = probe(page, "--count", "1")
    assert results(direct) == results(proxied) == results(of_page) == [("handshake", "success"), ("update", "success")]
    assert {one["transport"] for one in proxied} == {"ws"}
    assert {one["vantage"] for one in proxied} == {"proxy"}
    assert float(proxied[0]["auth_ms"]) > 0


def test_websockify_with_tls_is_checked(tmp_path: Path) -> None:
    pki = certificates(tmp_path)
    options = ("--cert", str(pki / "server-cert.pem"), "--key", str(pki / "server-key.pem"), "--ssl-only")
    with qemu(tmp_path) as console, websockify(tmp_path, console, *options) as port:
        trusted, _ = probe(f"wss://127.0.0.1:{port}/", "--count", "1", "--ca-file", str(pki / "ca-cert.pem"))
        doubted, said = probe(f"wss://127.0.0.1:{port}/", "--count", "1")
    assert results(trusted) == [("handshake", "success"), ("update", "success")]
    assert results(doubted) == [("handshake", "auth_failed")]
    assert "certificate" in said


def test_a_proxy_whose_console_is_gone_is_a_failure(tmp_path: Path) -> None:
    with websockify(tmp_path, 1) as port:
        points, _ = probe(f"ws://127.0.0.1:{port}/", "--count", "1")
    assert results(points) == [("handshake", "reset")]


def test_a_password_opens_and_a_wrong_one_is_not_tried_again(tmp_path: Path) -> None:
    secret = ("-object", f"secret,id=s0,data={PASSWORD}")
    with qemu(tmp_path, vnc="password-secret=s0", more=secret) as port:
        address = f"vnc://127.0.0.1:{port}"
        right, _ = probe(address, "--count", "1", password=PASSWORD)
        without, said = probe(address, "--count", "1")
        wrong, _ = probe(address, "--count", "4", "--interval", "0.3", "--modes", "handshake,update", password=WRONG)
    assert results(right) == [("handshake", "success"), ("update", "success")]
    assert results(without) == [("handshake", "success")]
    assert "password" in said
    assert results(wrong).count(("update", "auth_failed")) == 1
    assert results(wrong).count(("handshake", "success")) == 4


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_vencrypt_with_certificates(tmp_path: Path, password: str) -> None:
    pki = certificates(tmp_path)
    more = ["-object", f"tls-creds-x509,id=tls0,dir={pki},endpoint=server,verify-peer=off"]
    more += ["-object", f"secret,id=s0,data={password}"] if password else []
    with qemu(tmp_path, vnc="tls-creds=tls0" + ",password-secret=s0" * bool(password), more=more) as port:
        address = f"vnc+tls://127.0.0.1:{port}"
        ca = ("--ca-file", str(pki / "ca-cert.pem"))
        trusted, _ = probe(address, "--count", "1", *ca, password=password)
        doubted, said = probe(address, "--count", "1", password=password)
        plain, hint = probe(f"vnc://127.0.0.1:{port}", "--count", "1", password=password)
    assert results(trusted) == [("handshake", "success"), ("update", "success")]
    assert {one["transport"] for one in trusted} == {"tls"}
    assert results(doubted) == [("handshake", "success"), ("update", "auth_failed")]
    assert "certificate" in said
    assert results(plain) == [("handshake", "success")]
    assert "TLS" in hint


def test_vencrypt_without_certificates_only_where_it_is_allowed(tmp_path: Path) -> None:
    more = ["-object", "tls-creds-anon,id=tls0,endpoint=server"]
    with qemu(tmp_path, vnc="tls-creds=tls0", more=more) as port:
        allowed, _ = probe(f"vnc+tls://127.0.0.1:{port}", "--count", "1", "--anonymous-tls")
        refused, _ = probe(f"vnc+tls://127.0.0.1:{port}", "--count", "1")
    assert results(allowed) == [("handshake", "success"), ("update", "success")]
    assert results(refused) == [("handshake", "success"), ("update", "auth_failed")]


def test_spice_over_tls(tmp_path: Path) -> None:
    pki = certificates(tmp_path)
    secure = free_port()
    options = f"disable-ticketing=on,tls-port={secure},x509-dir={pki},tls-channel=main"
    with qemu(tmp_path, spice=options) as port:
        trusted, _ = probe(f"spice+tls://127.0.0.1:{secure}", "--count", "1", "--ca-file", str(pki / "ca-cert.pem"))
        doubted, _ = probe(f"spice+tls://127.0.0.1:{secure}", "--count", "1")
        plain, _ = probe(f"spice://127.0.0.1:{port}", "--count", "1")
    assert results(trusted) == [("handshake", "success")]
    assert {one["transport"] for one in trusted} == {"tls"}
    assert float(trusted[0]["auth_ms"]) > 0
    assert results(doubted) == [("handshake", "auth_failed")]
    assert results(plain) == [("handshake", "refused")]  # its main channel wants TLS


@contextmanager
def started(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A probe that runs on, with pipes as Telegraf gives it; killed where a test left it running."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *words], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def handshakes(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Read until so many handshakes were told."""
    assert process.stdout is not None
    while number:
        text = process.stdout.readline().decode()
        assert text.endswith("\n"), "the probe ended"
        number -= point(text[:-1])["mode"] == "handshake"


def silent(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether nothing but what belongs to the last connection comes for so long."""
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select([process.stdout], [], [], left)[0] and b"mode=handshake" in process.stdout.readline():
            return False
    return True


def test_below_execd_a_newline_begins_a_round_and_the_end_of_input_ends_all(tmp_path: Path) -> None:
    """A driver that does what Telegraf's inputs.execd does with signal = "STDIN"."""
    with (
        qemu(tmp_path) as port,
        started(f"vnc://127.0.0.1:{port}", "--execd", "STDIN", "--interval", "0.5") as process,
    ):
        assert process.stdin is not None
        assert silent(process, 3.0)  # nothing before it is asked
        for _ in range(2):
            process.stdin.write(b"\n")
            handshakes(process, 1)
            assert silent(process, 1.0)
        process.stdin.close()
        assert process.wait(10) == 0


def test_below_execd_without_a_signal_it_runs_by_the_clock_until_the_end_of_input(tmp_path: Path) -> None:
    with (
        qemu(tmp_path) as port,
        started(f"vnc://127.0.0.1:{port}", "--execd", "none", "--interval", "0.5") as process,
    ):
        assert process.stdin is not None
        handshakes(process, 3)
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, how: signal.Signals) -> None:
    with qemu(tmp_path) as port, started(f"vnc://127.0.0.1:{port}", "--interval", "0.3") as process:
        handshakes(process, 2)
        process.send_signal(how)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_it_ends_when_nobody_reads(tmp_path: Path) -> None:
    with qemu(tmp_path) as port:
        words = [*COMMAND, f"vnc://127.0.0.1:{port}", "--interval", "0.2"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0


def test_a_baseline_is_a_mean_with_a_verdict(tmp_path: Path) -> None:
    words = ("--baseline", "--count", "5", "--interval", "0.3", "--json")
    with qemu(tmp_path) as port:
        done = subprocess.run(
            [*COMMAND, f"vnc://127.0.0.1:{port}", *words], capture_output=True, timeout=60, check=True
        )
    (verdict,) = json.loads(done.stdout)
    assert verdict["stage"] == "update"
    assert (verdict["probes"], verdict["succeeded"]) == (5, 5)
    assert verdict["accepted"] is (verdict["mean_ms"] < 150)


def test_libvirt_names_the_consoles(tmp_path: Path) -> None:
    need("virsh")
    with qemu(tmp_path) as port:
        domain = tmp_path / "domain.xml"
        domain.write_text(f"""<node><domain type='test'><name>web 01</name>
            <uuid>15252f21-b7d9-45bb-9507-5bdfc98c0408</uuid><memory>65536</memory><vcpu>1</vcpu>
            <os><type>hvm</type></os><devices><graphics type='vnc' port='{port}' listen='0.0.0.0'/></devices></domain>
            </node>""")
        points, _ = probe(f"test://{domain}", "--count", "1")
    assert results(points) == [("handshake", "success"), ("update", "success")]
    assert {one["domain_name"] for one in points} == {"web\\ 01"}


def test_a_command_names_the_consoles(tmp_path: Path) -> None:
    with qemu(tmp_path) as port:
        points, _ = probe("--command", f"echo 'vnc://127.0.0.1:{port} domain_name=db01'", "--count", "1")
    assert {one["domain_name"] for one in points} == {"db01"}


def test_usage_that_is_wrong_is_told(tmp_path: Path) -> None:
    assert "PORT" in probe(expect=2)[1]
    assert "begins with" in probe("ftp://x:1", "--count", "1", expect=2)[1]
    said = probe("vnc://user:s3cret@host:5900", expect=2)[1]
    assert "password" in said
    assert "s3cret" not in said
    assert "at most 2" in probe("vnc://127.0.0.1:5900", "--timeout", "9", expect=2)[1]
    assert "cannot be read" in probe(str(tmp_path / "none"), "--count", "1", expect=2)[1]


def test_what_is_written_to_an_influxdb_is_read_by_the_mapping_as_it_is(tmp_path: Path, influx: Influx) -> None:
    database = influx.database("consoles")
    config = tmp_path / "brownout.toml"
    config.write_text(f'[influxdb]\nurl = "{influx.url}"\ndatabase = "consoles"\nuser = "admin"\n')
    with (
        qemu(tmp_path) as vnc,
        qemu(tmp_path, spice="disable-ticketing=on") as spice,
        websockify(tmp_path, vnc) as proxy,
    ):
        targets = tmp_path / "targets"
        targets.write_text(
            f"vnc://127.0.0.1:{vnc} domain_name=vm01 hypervisor=kvm1\n"
            f"spice://127.0.0.1:{spice} domain_name=vm02 hypervisor=kvm1\n"
            f"ws://127.0.0.1:{proxy}/ domain_name=vm01 hypervisor=kvm1\n"
        )
        words = [*COMMAND, str(targets), "--config", str(config), "--count", "1"]
        words += ["--modes", "handshake,update,full,window"]
        environment = {**os.environ, "BROWNOUT_INFLUXDB_PASSWORD": INFLUX_PASSWORD}
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    now, minute = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "m"), np.timedelta64(1, "m")
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)
    canonical = reader.read(now - 3 * minute, now + minute, database.schemas())
    entities = {entity.id: entity for entity in canonical.entities}
    assert entities["vm01/console"].parent == "vm01"
    assert entities["vm01"].parent == "kvm1"
    found: dict[str, set[str]] = {}
    for table in canonical.tables:
        for row in table.to_pylist():
            measured = {name for name, value in row.items() if name.startswith("console_") and value is not None}
            found.setdefault(row["entity"], set()).update(measured)
    assert found["vm01/console"] >= {
        "console_connect_ms", "console_mainloop_ms", "console_update_ms", "console_update_kib", "console_awake",
        "console_failed_pct", "console_stalled_pct", "console_fps", "console_sent_kbs", "console_proxied_ms",
    }  # fmt: skip
    assert found["vm02/console"] >= {"console_connect_ms", "console_failed_pct"}


def test_a_database_that_is_away_is_no_success(tmp_path: Path) -> None:
    config = tmp_path / "brownout.toml"
    config.write_text(f'[influxdb]\nurl = "http://127.0.0.1:{free_port()}"\nversion = 1\nbudget_s = 1\n')
    _, said = probe("vnc://127.0.0.1:1", "--count", "1", "--config", str(config), expect=1)
    assert "1 points were not written" in said


def test_sessions_of_a_real_console_are_raised_step_by_step(tmp_path: Path) -> None:
    command = [*COMMAND[:-1], "lab", "stress", "--mine", "--json"]
    steps = ["--sessions", "5", "--seconds", "1", "--limit", "1900"]
    with qemu(tmp_path) as port:
        done = subprocess.run([*command, *steps, f"vnc://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [step["sessions"] for step in found["steps"]] == [1, 2, 5]
    assert all(step["connections"] >= step["sessions"] and step["p50_ms"] > 0 for step in found["steps"])
    assert "5 at once: median" in done.stderr
