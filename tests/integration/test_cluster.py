"""A night on a Dask cluster whose workers read the history from S3: scheduler, workers and storage are real servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fakes import MemoryTracker
from servers import free_port

from brownout.adapters.cluster import dask_map
from brownout.adapters.cluster.dask_map import DaskMap, dask_cluster
from brownout.bootstrap import open_job
from brownout.domain.errors import OrchestrationError
from brownout.domain.night import Night
from brownout.domain.ports import Lost, Progress, no_progress
from brownout.nightly.effects.side_effects import is_transient
from brownout.nightly.effects.trained_models import load_models
from brownout.nightly.run import NightResult
from brownout.operate import night_job as operate
from brownout.operate.night_job import NightJob
from brownout.reporting.document import report_json, report_of
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset

pytest.importorskip("s3fs")
T = TypeVar("T")
R = TypeVar("R")
QUICK = {"train_steps": 20, "without": ("covariates", "outlook", "smoothing", "usual", "weekly-naive")}
S3 = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
OWN = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A server that speaks S3, with an empty bucket; its address and keys are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**S3, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="telemetry")
        yield "s3://telemetry/brownout"
    server.stop()


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of Dask's command line, stopped at the end."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], env={**os.environ, **OWN}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def scheduler(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own that nobody starts again."""
    address, scratch = f"tcp://127.0.0.1:{free_port()}", str(tmp_path_factory.mktemp("workers"))
    worker = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--local-directory", scratch)
    with (
        started("distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"),
        started("distributed.cli.dask_worker", address, *worker),
        started("distributed.cli.dask_worker", address, *worker),
    ):
        yield address
    assert storage


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, small_forests: None) -> Path:
    """An output folder with history and models of a small fleet in which guests contend for the CPU."""
    del small_forests
    folder = tmp_path_factory.mktemp("night") / "out"
    made = simulate(FleetSettings(hosts=1, vms=3, days=7, interval_s=300, seed=5, faults=1, only_causes=("CONT-04",)))
    write_dataset(made, folder.parent / "fleet", name="small")
    job = night_job(folder)
    job.sync()
    job.train()
    return folder


def night_job(out: Path, **cluster: object) -> NightJob:
    given = {"dataset": out.parent / "fleet", "shard_size": 2, "forecast": QUICK}
    settings = load_settings(None, **given, cluster=cluster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brownout.bootstrap.open_tracker", lambda *_given: MemoryTracker())
        return open_job(settings, out)


def result(job: NightJob) -> NightResult:
    return job.result(job.context().with_models(load_models(job.workspace)))


def text(night: Night) -> str:
    return report_json(report_of(replace(night, created=night.end)))


class KillOnce:
    """The work of a stage that ends its worker in the first item that is given to it anywhere."""

    def __init__(self, work: Callable[[Any], Any], marker: Path) -> None:
        self.work, self.marker = work, marker

    def __call__(self, item: Any) -> Any:
        try:
            self.marker.touch(exist_ok=False)
        except FileExistsError:
            return self.work(item)
        os.kill(os.getpid(), signal.SIGKILL)
        return None


def test_a_night_on_a_cluster_says_what_one_machine_says_though_a_worker_is_killed(
    out: Path, scheduler: str, storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = result(night_job(out))
    assert len(alone.shards) > 2
    assert alone.night.diagnoses
    on_cluster, killed = DaskMap.__call__, tmp_path / "killed"

    def with_a_kill(
        self: DaskMap, stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress = no_progress
    ) -> list[R | Lost]:
        return on_cluster(self, stage, KillOnce(work, killed), items, progress)

    monkeypatch.setattr(DaskMap, "__call__", with_a_kill)
    job = night_job(out, scheduler=scheduler, history=storage)
    together = result(job)
    assert job.effects.lines() == ()
    assert killed.exists()
    assert len(together.shards) == len(alone.shards)
    assert text(together.night) == text(alone.night)
    with dask_cluster(scheduler, is_transient=is_transient, patience_s=1) as on_workers:
        assert len(on_workers.client.nthreads()) == 1, "the other worker was killed"


def halved(number: int) -> float:
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return number / 2


def test_what_fails_on_a_worker_costs_its_item_alone(scheduler: str) -> None:
    shown: list[float] = []
    with dask_cluster(scheduler, is_transient=is_transient, patience_s=1) as on_workers:
        found = on_workers("halve", halved, [8, -1, 4], lambda _stage, share: shown.append(share))
        assert on_workers("halve", halved, []) == []
    assert (found[0], found[2]) == (4.0, 2.0)
    assert isinstance(found[1], Lost)
    assert (found[1].item, str(found[1].error)) == (-1, "-1 is below 0")
    assert shown == [1 / 3, 2 / 3, 1]


def test_a_cluster_without_workers_or_scheduler_leaves_the_night_to_this_machine(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    monkeypatch.setattr(dask_map, "LOOK_S", 0.05)
    with (
        started("distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"),
        dask_cluster(address, is_transient=is_transient, patience_s=0.01) as on_workers,
        pytest.raises(OrchestrationError, match="no worker"),
    ):
        on_workers("halve", halved, [8])
    monkeypatch.setattr(dask_map, "CONNECT_S", 0.5)
    monkeypatch.setattr(operate, "run", lambda *_given, **_options: "made here")
    job = night_job(out, scheduler=address)
    assert result(job) == "made here"
    assert "cannot be reached" in job.effects.lines()[0]
    assert job.effects.exit_code == 1
