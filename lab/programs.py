"""Programs of the lab: started, waited for, stopped by their process id."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ["Programs", "ask", "wait_for"]


class Programs:
    """Starts programs with a log each, and stops them again, the last one first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, *command: str, pipe: bool = False, **environment: str) -> IO[bytes] | None:
        """Start a program in a process group of its own; with ``pipe`` what it prints is to be read."""
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._running[name] = process
        return process.stdout

    def stop(self, name: str) -> None:
        """Stop a program and its children."""
        process = self._running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, number)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            return

    def stop_all(self) -> None:
        """Stop all that run."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def log(self, name: str) -> str:
        """The end of what a program complained about."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]


def ask(*command: str, strict: bool = True) -> str:
    """What a program prints; an error that says what it complained about where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if strict and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def wait_for(there: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Wait until something is there."""
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds:g} s.")
        time.sleep(0.1)
