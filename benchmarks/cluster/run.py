"""A night on a Dask cluster of this machine: cost by the number of guests, time by the number of workers.

    python benchmarks/cluster/run.py FOLDER [--guests 50,100,200] [--workers 1,2,4] [--models OUT/models]
        [--interval 300]

Fleets are simulated below FOLDER (8 days, at 5 minutes unless said otherwise) and synced; the models are those given,
or of the smallest fleet, trained once. Scheduler and workers (one thread each) are processes of their own; workers
read a copy of the history as from object storage. Measured are the stages that run on the cluster: processor time and
largest memory of the workers, processor time of the night's own process, and wall time. The exponent is that of
processor time over guests, by least squares in the logarithms, of all nights on two workers and of the two largest;
the processor time of a worker that waits (imports, heartbeats) is measured before and left out. Nights are kept in
FOLDER/measured.jsonl, so that a run goes on where an earlier one ended.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil

from brownout.bootstrap import open_job
from brownout.nightly.effects.trained_models import load_models
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset

Process = psutil.Popen


@contextmanager
def started(*arguments: str) -> Iterator[Process]:
    """A process of Dask's command line."""
    own = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = psutil.Popen([sys.executable, "-m", *arguments], env=own, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def processor_s(workers: Sequence[Process]) -> float:
    """Processor time of all workers so far, in seconds."""
    return sum(times.user + times.system for times in (worker.cpu_times() for worker in workers))


def peak_mib(worker: Process) -> float:
    """The largest resident memory that a process has had."""
    status = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def prepared(folder: Path, guests: int, models: Path | None, interval_s: int) -> Path:
    """An output folder with the history of a fleet, and models."""
    fleet, out = folder / f"fleet-{guests}", folder / f"out-{guests}"
    if not fleet.exists():
        hosts = max(guests // 12, 1)
        made = simulate(FleetSettings(hosts=hosts, vms=guests, days=8, interval_s=interval_s, seed=5, faults=hosts))
        write_dataset(made, fleet, name=f"fleet of {guests}")
    job = open_job(load_settings(dataset=fleet, forecast={"train_steps": 100}), out)
    job.sync()
    if models is None:
        job.train(only_if_due=True)
    elif not (out / "models").exists():
        shutil.copytree(models, out / "models")
    return fleet


def night(folder: Path, guests: int, workers: int) -> dict[str, float]:
    """One night on so many workers; seconds are of the processor but for ``wall_s``."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    given = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
    with ExitStack() as stack:
        stack.enter_context(started("distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"))
        scratch = ("--local-directory", str(folder / "scratch"))
        pool = [
            stack.enter_context(started("distributed.cli.dask_worker", address, *given, *scratch))
            for _ in range(workers)
        ]
        cluster = {"scheduler": address, "history": (folder / f"copy-{guests}").resolve().as_uri()}
        job = open_job(load_settings(dataset=folder / f"fleet-{guests}", cluster=cluster), folder / f"out-{guests}")
        context = job.context().with_models(load_models(job.workspace))
        time.sleep(10)  # workers have joined and rest
        before, own, began = processor_s(pool), time.process_time(), time.monotonic()
        result = job.result(context)
        wall, own = time.monotonic() - began, time.process_time() - own
        assert not job.effects.lines(), job.effects.lines()
        return {
            "guests": guests,
            "workers": workers,
            "shards": len(result.shards),
            "incidents": len(result.night.diagnoses),
            "processor_s": round(processor_s(pool) - before, 1),
            "own_s": round(own, 1),
            "wall_s": round(wall, 1),
            "peak_mib": round(max(peak_mib(worker) for worker in pool)),
        }


def main() -> None:
    """Print one line of JSON a night, and the exponent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--guests", default="50,100,200")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--interval", type=int, default=300, help="Seconds between samples.")
    options = parser.parse_args()
    sizes, pools = ([int(part) for part in text.split(",")] for text in (options.guests, options.workers))
    for size in sizes:
        trained = None if size == sizes[0] else options.folder / f"out-{sizes[0]}" / "models"
        prepared(options.folder, size, options.models or trained, options.interval)
    kept = options.folder / "measured.jsonl"
    kept.touch()
    measured = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    for size in sizes:
        for workers in pools if size == sizes[len(sizes) // 2] else (2,):
            if (size, workers) in {(row["guests"], row["workers"]) for row in measured}:
                continue
            measured.append(night(options.folder, size, workers))
            print(json.dumps(measured[-1]), flush=True)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(measured[-1]) + "\n")
    two = sorted((row["guests"], row["processor_s"]) for row in measured if row["workers"] == 2)
    if len(two) > 1:
        exponents = {"all": exponent(two), "two_largest": exponent(two[-2:])}
        print(json.dumps({"exponent": exponents, "cores": len(os.sched_getaffinity(0))}))


def exponent(measured: Sequence[tuple[int, float]]) -> float:
    """Of seconds over guests."""
    guests, seconds = np.log(np.array(measured).T)
    return round(float(np.polyfit(guests, seconds, 1)[0]), 3)


if __name__ == "__main__":
    main()
