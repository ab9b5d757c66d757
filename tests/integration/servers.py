"""Real servers on free ports of 127.0.0.1, stopped by pid."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

__all__ = ["free_port", "served"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def served(
    command: Sequence[str | Path], health: str, log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Start a server, wait until its health address answers, stop it and its children."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=file,
            stderr=file,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            _wait(process, health, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", health: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urlopen(health, timeout=5) as answer:  # noqa: S310 - an address of our own
                if answer.status in (200, 204):
                    return
        except (URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"{health} did not come up:\n{log.read_text()[-3000:]}")
