"""One night at a time in a folder."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import LockedError
from brownout.store.night_lock import lock_holder, night_lock

NOW = np.datetime64("2026-03-01T02:15:00")
HOLD = """
import sys, time
from pathlib import Path
import numpy as np
from brownout.domain.errors import LockedError
from brownout.store.night_lock import night_lock
try:
    with night_lock(Path(sys.argv[1]), command=sys.argv[3], now=np.datetime64("2026-03-01T02:15:00")):
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
except LockedError as error:
    print(f"refused: {error}", flush=True)
"""


def hold(out: Path, seconds: float = 60, command: str = "brownout nightly") -> "subprocess.Popen[str]":
    process = [sys.executable, "-c", HOLD, out, str(seconds), command]
    return subprocess.Popen(process, stdout=subprocess.PIPE, text=True)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_second_is_told_who_works_there(tmp_path: Path) -> None:
    first = hold(tmp_path)
    try:
        assert line(first) == "held"
        with pytest.raises(LockedError) as caught, night_lock(tmp_path, command="brownout train", now=NOW):
            pytest.fail("two at once")
        for part in ("`brownout nightly`", f"process {first.pid}", "2026-03-01T02:15:00 UTC"):
            assert part in caught.value.what
        assert f"stop process {first.pid}" in caught.value.remedy
    finally:
        end(first)


def test_a_pass_of_watch_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one_pass = hold(tmp_path, 1.5, "brownout watch")
    try:
        assert line(one_pass) == "held"
        with night_lock(tmp_path, command="brownout nightly", now=NOW, patience_s=60):
            holder = lock_holder(tmp_path)
            assert holder is not None
            assert holder.pid == os.getpid()
        assert f"waits for `brownout watch`, process {one_pass.pid}" in caplog.text
    finally:
        end(one_pass)


def test_a_pass_that_does_not_end_is_named(tmp_path: Path) -> None:
    one_pass = hold(tmp_path, 60, "brownout watch")
    try:
        assert line(one_pass) == "held"
        with (
            pytest.raises(LockedError, match="in use by `brownout watch`"),
            night_lock(tmp_path, command="brownout nightly", now=NOW, patience_s=1),
        ):
            pytest.fail("two at once")
    finally:
        end(one_pass)


def test_a_night_is_not_waited_for(tmp_path: Path) -> None:
    first = hold(tmp_path)
    try:
        assert line(first) == "held"
        started = time.monotonic()
        with (
            pytest.raises(LockedError, match="in use by `brownout nightly`"),
            night_lock(tmp_path, command="brownout nightly", now=NOW, patience_s=60),
        ):
            pytest.fail("two at once")
        assert time.monotonic() - started < 30
    finally:
        end(first)


def test_two_that_start_together_give_one_run_and_one_clear_error(tmp_path: Path) -> None:
    both = [hold(tmp_path, 3), hold(tmp_path, 3)]
    said = sorted(line(process) for process in both)
    for process in both:
        end(process)
    assert said[0] == "held"
    assert said[1].startswith(f"refused: {tmp_path} is in use by ")


def test_a_killed_holder_does_not_block(tmp_path: Path) -> None:
    first = hold(tmp_path)
    assert line(first) == "held"
    end(first)
    assert lock_holder(tmp_path) is not None
    with night_lock(tmp_path, command="brownout nightly", now=NOW):
        assert lock_holder(tmp_path).pid == os.getpid()  # type: ignore[union-attr]
    assert lock_holder(tmp_path) is None


def test_programs_that_the_night_started_do_not_keep_its_lock(tmp_path: Path) -> None:
    with night_lock(tmp_path, command="brownout nightly", now=NOW):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = time.monotonic()
        with night_lock(tmp_path, command="brownout nightly", now=NOW):
            assert time.monotonic() - started < 5
    finally:
        child.kill()
        child.wait()


def test_what_is_called_inside_may_ask_again_and_another_thread_may_not(tmp_path: Path) -> None:
    def elsewhere() -> str:
        try:
            with night_lock(tmp_path, command="thread", now=NOW):
                return "held"
        except LockedError:
            return "refused"

    with night_lock(tmp_path, command="outer", now=NOW), ThreadPoolExecutor(1) as pool:
        with night_lock(tmp_path / ".." / tmp_path.name, command="inner", now=NOW):
            pass
        assert lock_holder(tmp_path).command == "outer"  # type: ignore[union-attr]
        assert pool.submit(elsewhere).result() == "refused"
    assert elsewhere() == "held"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pid": 1}'])
def test_a_lock_file_that_says_nothing_still_locks(tmp_path: Path, text: str) -> None:
    first = hold(tmp_path)
    try:
        assert line(first) == "held"
        (tmp_path / "night.lock").write_text(text)
        with pytest.raises(LockedError, match="in use by another run"), night_lock(tmp_path, command="x", now=NOW):
            pytest.fail("two at once")
    finally:
        end(first)
