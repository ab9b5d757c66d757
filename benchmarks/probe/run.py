"""Hundreds of consoles from one core: what the probe itself adds to connect and handshake.

The consoles are servers of this script in a process of its own, or guests of QEMU (``--qemu N``). The truth is what
was on the wire: a third process looks at every segment on the loopback with the kernel's time of it (AF_PACKET, needs
root). Connect is SYN to SYN-ACK; a stage is the last segment of the client before it to the segment that the server
answers with; the handshake up to ServerInit is the sum of its four.

    python benchmarks/probe/run.py --consoles 500 --interval 10 --seconds 60
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from console_servers import qemu  # noqa: E402
from rfb_server import frame, init  # noqa: E402

from brownout.probe.console_list import Consoles  # noqa: E402
from brownout.probe.points import Point  # noqa: E402
from brownout.probe.probe_run import Run  # noqa: E402
from brownout.probe.probe_settings import ProbeSettings  # noqa: E402
from brownout.probe.target import parse_target  # noqa: E402

SO_TIMESTAMPNS, SO_RCVBUFFORCE, PACKET_OUTGOING = 35, 33, 4
SYN, ACK = 0x02, 0x10
STAGES = {"connect": "tcp_connect_ms", "banner": "banner_ms", "security types": "negotiate_ms"}
Segment = tuple[float, bool, int, int]
"""Milliseconds, from the client, flags, bytes of payload."""
Told = tuple[str, str, str, int, dict[str, float]]
"""Console, mode, result, nanoseconds, fields."""


class Console(asyncio.Protocol):
    """Answers each message as a VNC server without a password does."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.said = [b"RFB 003.008\n", b"\x01\x01", bytes(4), init(), frame()]
        transport.write(self.said.pop(0))

    def data_received(self, data: bytes) -> None:
        """One answer a message: what a client sends in one piece is one."""
        del data
        if self.said:
            self.transport.write(self.said.pop(0))


def serve(count: int, folder: Path) -> None:
    """Listen on as many ports until standard input ends."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Console, "127.0.0.1", 0) for _ in range(count)]
        (folder / "part").write_text("\n".join(str(server.sockets[0].getsockname()[1]) for server in servers))
        (folder / "part").rename(folder / "ports")
        await loop.run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


def watch(ports: set[int], out: Path) -> None:
    """Write down every segment from and to these ports until told to end."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256_000_000)
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.bind(("lo", 0x0800))
    tap.settimeout(0.5)
    end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: end.append(number))
    out.with_suffix(".ready").touch()
    with out.open("w") as file:
        while True:
            try:
                data, more, _, address = tap.recvmsg(128, 64)
            except TimeoutError:
                if end:
                    return
                continue
            if address[2] == PACKET_OUTGOING or data[9] != socket.IPPROTO_TCP:
                continue
            head = 4 * (data[0] & 15)
            source, target = struct.unpack_from(">HH", data, head)
            if source in ports or target in ports:
                (length,) = struct.unpack_from(">H", data, 2)
                payload = length - head - 4 * (data[head + 12] >> 4)
                seconds, nanoseconds = struct.unpack("qq", more[0][2])
                file.write(f"{source} {target} {data[head + 13]} {payload} {seconds * 1000 + nanoseconds / 1e6:.6f}\n")


def probe(ports: list[str], settings: ProbeSettings, out: Path) -> None:
    """Run the probe as it ships."""
    points: list[Point] = []
    targets = [parse_target(f"vnc://127.0.0.1:{port} domain_name={port}") for port in ports]
    run = Run(
        settings=settings,
        consoles=Consoles(targets, [], lambda _: None),
        complain=lambda _: None,
        trust=ssl.create_default_context(),
        deliver=points.extend,
    )
    began, before = time.monotonic(), time.process_time()
    asyncio.run(run.until(asyncio.Event()))
    share = (time.process_time() - before) / (time.monotonic() - began)
    found = [[point.tags["domain_name"], point.mode, point.result, point.time_ns, point.fields] for point in points]
    out.write_text(json.dumps({"share": share, "points": found}))


def truths(log: Path, ports: set[int]) -> dict[str, list[dict[str, float]]]:
    """Stages in milliseconds of each connection, by the server's port, in order."""
    segments: defaultdict[tuple[int, int], list[Segment]] = defaultdict(list)
    for line in log.read_text().splitlines():
        source, target, flags, payload, at = line.split()
        client = int(target) in ports
        key = (int(target), int(source)) if client else (int(source), int(target))
        segments[key].append((float(at), client, int(flags), int(payload)))
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for (server, _), parts in sorted(segments.items(), key=lambda item: item[1][0][0]):
        found[str(server)].append(stages(sorted(parts)))
    return found


def stages(parts: list[Segment]) -> dict[str, float]:
    """What one connection came to on the wire."""
    syn = next(at for at, client, flags, _ in parts if client and flags & SYN)
    asked = next(at for at, client, flags, _ in parts if not client and flags & SYN)
    waits = [asked - syn]
    answered = False
    for at, client, _, payload in parts:
        if payload and client:
            asked, answered = at, False
        elif payload and not answered:
            waits.append(at - asked)
            answered = True
    names = ("connect", "banner", "security types", "result", "ServerInit")
    return {"began": syn} | dict(zip(names, waits, strict=False))


def errors(points: list[Told], found: dict[str, list[dict[str, float]]]) -> dict[str, list[float]]:
    """Measured minus true, absolute, milliseconds; a connection is known by when it began."""
    table: defaultdict[str, list[float]] = defaultdict(list)
    for name, mode, result, time_ns, fields in points:
        true = min(found[name], key=lambda one: abs(one["began"] - time_ns / 1e6))
        if result == "success" and mode == "handshake":
            for stage, field in STAGES.items():
                table[stage].append(abs(fields[field] - true[stage]))
        elif result == "success":
            four = sum(true[stage] for stage in ("banner", "security types", "result", "ServerInit"))
            table["handshake to ServerInit"].append(abs(fields["handshake_ms"] - four))
    return table


@contextmanager
def fake(count: int, folder: Path) -> Iterator[list[str]]:
    """Consoles of this script."""
    words = [sys.executable, __file__, "--serve", str(folder), "--consoles", str(count)]
    server = subprocess.Popen(words, stdin=subprocess.PIPE)
    while not (folder / "ports").exists():
        time.sleep(0.1)
    yield (folder / "ports").read_text().split()
    server.communicate()


@contextmanager
def real(count: int, folder: Path) -> Iterator[list[str]]:
    """Guests of QEMU at their firmware's screen."""
    with ExitStack() as guests:
        yield [str(guests.enter_context(qemu(folder))) for _ in range(count)]


@contextmanager
def watched(ports: list[str], folder: Path) -> Iterator[Path]:
    """Everything on the wire, in a file, from when it is ready."""
    log = folder / "wire"
    watcher = subprocess.Popen([sys.executable, __file__, "--watch", str(log)], stdin=subprocess.PIPE, text=True)
    assert watcher.stdin is not None
    watcher.stdin.write(" ".join(ports))
    watcher.stdin.close()
    while not log.with_suffix(".ready").exists():
        assert watcher.poll() is None, "looking at the wire needs root"
        time.sleep(0.1)
    yield log
    watcher.terminate()
    watcher.wait(30)


def pinned(core: int) -> Callable[[], None]:
    """To one core, where there are several."""
    return lambda: os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of values lies."""
    return sorted(values)[round(share * (len(values) - 1))]


def show(table: dict[str, list[float]]) -> None:
    """The table, in milliseconds."""
    print("| absolute error, ms | p50 | p95 | p99 | max | n |\n|---|---|---|---|---|---|")
    for name, values in table.items():
        shares = " | ".join(f"{quantile(values, share):.3f}" for share in (0.5, 0.95, 0.99))
        print(f"| {name} | {shares} | {max(values):.2f} | {len(values)} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consoles", type=int, default=500)
    parser.add_argument("--qemu", type=int, default=0, help="so many guests of QEMU instead")
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        serve(options.consoles, options.serve)
    elif options.watch:
        watch({int(port) for port in sys.stdin.read().split()}, options.watch)
    elif options.probe:
        settings = ProbeSettings(interval_s=options.interval, count=max(2, round(options.seconds / options.interval)))
        probe(sys.stdin.read().split(), settings, options.probe)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Probe, look, compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        consoles = real(options.qemu, folder) if options.qemu else fake(options.consoles, folder)
        with consoles as ports:
            with watched(ports, folder) as log:
                words = [sys.executable, __file__, "--probe", str(folder / "result"), *sys.argv[1:]]
                subprocess.run(words, input="\n".join(ports), text=True, check=True, preexec_fn=pinned(0))
            found = truths(log, {int(port) for port in ports})
        result = json.loads((folder / "result").read_text())
        failed = sum(point[2] != "success" for point in result["points"])
        what = "guests of QEMU" if options.qemu else "consoles of this script"
        load = os.getloadavg()[0]
        print(f"{len(ports)} {what} every {options.interval:g} s for {options.seconds:g} s, load {load:.1f}:")
        print(f"{100 * result['share']:.1f} % of one core, {len(result['points'])} points, {failed} not successful\n")
        show(errors(result["points"], found))


if __name__ == "__main__":
    main()
