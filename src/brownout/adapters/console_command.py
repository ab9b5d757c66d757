"""Consoles that a command lists, such as a site's inventory or ``openstack console url show``."""

import subprocess
from collections.abc import Sequence

from brownout.domain.errors import BrownoutError
from brownout.probe.console_list import Source
from brownout.probe.target import Target, read_targets

__all__ = ["command_source"]

TIMEOUT_S = 60.0


def command_source(command: Sequence[str]) -> Source:
    """Runs a command, without a shell, and reads the targets that it prints, one a line."""

    def run() -> list[Target]:
        try:
            done = subprocess.run(  # noqa: S603 - a list of words from the command line, no shell
                list(command), capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"The command {command[0]} did not answer: {error}."
            raise BrownoutError(msg, remedy=f"See that it runs here and ends within {TIMEOUT_S:g} s.") from error
        if done.returncode:
            last_line = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            msg = f"The command {command[0]} ended with {done.returncode} and said {last_line!r}."
            raise BrownoutError(msg, remedy="Run it by hand as the same user.")
        return read_targets(done.stdout, f"output of {command[0]}")

    return run
