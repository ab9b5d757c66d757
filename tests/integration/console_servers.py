"""Real console servers: QEMU, TigerVNC, x11vnc, and websockify as the proxy."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection
from typing import Self

import pytest
from servers import free_port

__all__ = ["certificates", "documented", "need", "qemu", "running", "tigervnc", "viewer", "websockify", "x11vnc"]

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "websockify": "websockify",
    "Xtigervnc": "tigervnc-standalone-server",
    "vncpasswd": "tigervnc-tools",
    "x11vnc": "x11vnc",
    "Xvfb": "xvfb",
    "xterm": "xterm",
    "virsh": "libvirt-clients",
    "openssl": "openssl",
}


def need(*programs: str) -> None:
    """Skip where a program is missing, and say how to get it."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt install {PACKAGES[program]}")


@contextmanager
def running(command: Sequence[str | Path], log: Path, *, port: int = 0, **environment: str) -> Iterator[int]:
    """Start a program, wait for its port, give its process id, stop it and its children."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            if port:
                _wait(process, port, log)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"port {port} did not come up:\n{log.read_text()[-2000:]}")


def display_port() -> int:
    """A free port of those that VNC displays use, 5900 + display."""
    port = free_port()
    while not 5900 < port < 65_536:
        port = free_port()
    return port


@contextmanager
def qemu(folder: Path, *, vnc: str = "", spice: str = "", more: Sequence[str] = ()) -> Iterator[int]:
    """A guest at its firmware's screen; ``vnc`` and ``spice`` are further options of its console. Gives the port."""
    need("qemu-system-x86_64")
    port = display_port()
    if spice:
        console = ["-spice", f"addr=127.0.0.1,port={port},{spice}"]
    else:
        console = ["-vnc", f"127.0.0.1:{port - 5900}{',' * bool(vnc)}{vnc}"]
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "32", "-display", "none", "-nodefaults", "-vga", "std"]
    with running([*command, *console, *more], folder / f"qemu-{port}.log", port=port):
        yield port


@contextmanager
def tigervnc(folder: Path, *options: str) -> Iterator[int]:
    """An X server that is a VNC server."""
    need("Xtigervnc")
    port = display_port()
    command = ["Xtigervnc", f":{port - 5900}", "-rfbport", str(port), "-localhost", "-geometry", "320x200", *options]
    with running(command, folder / f"tigervnc-{port}.log", port=port):
        yield port


@contextmanager
def x11vnc(folder: Path, *options: str) -> Iterator[int]:
    """A screen with a terminal, shown by x11vnc."""
    need("Xvfb", "x11vnc", "xterm")
    port = display_port()
    display = f":{port}"
    screen = ["Xvfb", display, "-screen", "0", "320x200x24", "-nolisten", "tcp"]
    terminal = ["xterm", "-geometry", "40x10+0+0", "-e", "cat"]
    show = ["x11vnc", "-display", display, "-localhost", "-rfbport", str(port), "-forever", "-shared", *options]
    with running(screen, folder / f"xvfb-{port}.log"):
        _wait_for(Path(f"/tmp/.X11-unix/X{port}"))  # noqa: S108 - where X servers put it
        with (
            running(terminal, folder / f"xterm-{port}.log", DISPLAY=display),
            running(show, folder / f"x11vnc-{port}.log", port=port),
        ):
            time.sleep(1.0)  # the terminal draws itself
            yield port


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


@contextmanager
def websockify(folder: Path, port: int, *options: str) -> Iterator[int]:
    """The proxy of noVNC and OpenStack before a console."""
    need("websockify")
    own = free_port()
    command = ["websockify", *options, f"127.0.0.1:{own}", f"127.0.0.1:{port}"]
    with running(command, folder / f"websockify-{own}.log", port=own):
        yield own


class viewer:  # noqa: N801 - reads as what it is in a with statement
    """A user's VNC client that is connected, with a shared session or not, and sees whether it still is."""

    def __init__(self, port: int, *, shared: bool) -> None:
        self._socket = create_connection(("127.0.0.1", port), timeout=10)
        self._socket.settimeout(10)
        self._take(12)
        self._socket.sendall(b"RFB 003.008\n")
        self._take(self._take(1)[0])
        self._socket.sendall(b"\x01")
        self._take(4)
        self._socket.sendall(bytes([shared]))
        head = self._take(24)
        self._take(int.from_bytes(head[20:24], "big"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def alive(self) -> bool:
        """Whether the server still answers."""
        try:
            self._socket.sendall(bytes([3, 0, 0, 0, 0, 0, 0, 16, 0, 16]))
            return bool(self._socket.recv(65_536))
        except OSError:
            return False

    def _take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            assert part, "the server closed the viewer's connection"
            data += part
        return data


def certificates(folder: Path) -> Path:
    """An authority and a server's certificate for 127.0.0.1, as QEMU wants them; gives their folder."""
    need("openssl")
    made = folder / "pki"
    made.mkdir()
    (made / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca-cert.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server-key.pem -out server.csr",
        "x509 -req -in server.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -extfile san -out server-cert.pem",
    ):
        subprocess.run(["openssl", *words.split()], cwd=made, check=True, capture_output=True)
    return made


def documented(*, containing: str, consoles: Path) -> list[str]:
    """What docs/probe.md says to type after ``brownout probe`` where it holds some words, with other consoles."""
    lines = (Path(__file__).parents[2] / "docs" / "probe.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("brownout probe ") and containing in line)
    return line.split("#")[0].replace("/etc/brownout/consoles", str(consoles)).split()[2:]
