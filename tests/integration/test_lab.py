"""The lab for a minute and a half: real guests, a fault, a data set; and nothing left behind, not even when killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from lab.__main__ import missing

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _possible() -> None:
    if problem := missing():
        pytest.skip(problem)
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(apart, capture_output=True, check=False).returncode:
        pytest.skip("no namespaces can be made here")


@contextmanager
def lab(out: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "lab", "--out", str(out), *options], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def left(out: Path) -> list[str]:
    """Command lines of processes that a run started."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if str(out) in line]


def gone(out: Path) -> bool:
    end = time.monotonic() + 30
    while left(out) and time.monotonic() < end:
        time.sleep(0.2)
    return not left(out)


@pytest.mark.timeout(500)
def test_a_short_run_measures_real_consoles_and_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with lab(out, "--minutes", "1.7", "--seed", "1") as process:
        assert process.wait(400) == 0
    assert gone(out)
    data = out / "dataset"
    (truth,) = pd.read_csv(data / "injections.csv").to_dict("records")
    assert truth["fault"] == "loss"
    samples = pd.read_parquet(data / "samples.parquet")
    for console, metric in {"vm1/console": "console_update_ms", "vm3/console": "console_mainloop_ms"}.items():
        own = samples[samples["entity"] == console]
        assert own[metric].notna().sum() > 8, console
    start, end = (pd.Timestamp(truth[key]) for key in ("start", "end"))
    path = samples[samples["entity"] == "users>kvm1"].set_index("time")["link_loss_pct"].dropna()
    assert path[start:end].mean() > 1
    assert path[: start - pd.Timedelta("4s")].median() == 0
    host = samples[samples["entity"] == "kvm1"]
    assert host["host_cpu_busy_pct"].notna().sum() > 8
    guest = samples[samples["entity"] == "vm1"]
    assert guest[["vm_cpu_pct", "vm_ready_pct", "vm_disk_iops", "vm_qemu_cpu_pct"]].notna().sum().min() > 8


@pytest.mark.timeout(300)
def test_a_run_that_is_killed_takes_its_guests_with_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with lab(out, "--minutes", "5") as process:
        end = time.monotonic() + 200
        while not any("qemu-system" in line for line in left(out)) and time.monotonic() < end:
            time.sleep(0.2)
        assert any("qemu-system" in line for line in left(out))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert gone(out)


def test_the_move_of_a_disk_moves_that_of_a_real_guest_there_and_back(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "lab.moves", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["code"], line["said"], line["checked"]) for line in lines] == [(0, "", "done"), (0, "", "needed")]
    old, new = out / "old" / "vm1.raw", out / "new store" / "vm1.raw"
    assert [line["running"] for line in lines] == [[str(new), "br0"], [str(old), "br0"]]
    assert [line["lasting"] for line in lines] == [line["running"] for line in lines]
    assert old.read_bytes() == new.read_bytes()
    assert gone(out)
