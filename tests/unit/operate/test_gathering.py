"""``brownout agent`` as it is run: once, below Telegraf's inputs.execd, by the clock; on this machine's own kernel."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from typer.testing import CliRunner

from brownout.cli import app
from brownout.domain.errors import SettingsError

AGENT = [sys.executable, "-c", "from brownout.cli import main; main()", "agent", "--connect", "test:///default"]


@contextmanager
def agent(*options: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*AGENT, "--host", "kvm1", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def measurements(lines: list[str]) -> set[str]:
    return {text.partition(",")[0] for text in lines}


def test_once_has_rates_and_ends() -> None:
    with agent("--once") as process:
        out, _ = process.communicate(timeout=120)
    lines = out.splitlines()
    assert process.returncode == 0
    assert {"cpu", "mem", "kernel", "system", "processes"} <= measurements(lines)
    assert all(",host=kvm1" in text for text in lines)
    assert len({text.rsplit(" ", 1)[1] for text in lines}) == 1


def test_below_execd_a_line_begins_a_round_and_the_end_of_the_input_ends_it() -> None:
    with agent("--execd", "STDIN") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write("\n")
            process.stdin.flush()
            while not process.stdout.readline().startswith("mem,"):
                pass
        process.stdin.close()
        process.stdout.read()
        assert process.wait(60) == 0


def test_by_the_clock_rounds_lie_on_multiples_and_a_signal_ends_it() -> None:
    with agent("--interval", "2") as process:
        assert process.stdout is not None
        times = []
        while len(times) < 2:
            text = process.stdout.readline()
            if text.startswith("mem,"):
                times.append(int(text.rsplit(" ", 1)[1]))
        os.kill(process.pid, signal.SIGTERM)
        process.stdout.read()
        assert process.wait(60) == 0
    assert all(time % 2_000_000_000 == 0 for time in times)


def test_an_interval_that_cannot_be_used_is_refused() -> None:
    result = CliRunner().invoke(app, ["agent", "--interval", "0.1"])
    assert isinstance(result.exception, SettingsError)
    assert "1 s or more" in result.exception.remedy
