"""What several suites share: small real and made-up data sets."""

import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial, wraps
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from brownout.adapters import mlflow_store
from brownout.cli import main
from brownout.detection.detector_settings import DetectorSettings
from brownout.nightly.model_review import forecaster_comparison
from brownout.nightly.training import train

# Modules are compiled once, whatever the surroundings say: hundreds of processes of this suite import the product.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine is no failure, and a test that fails here must fail everywhere.
settings.register_profile("brownout", deadline=None, derandomize=True)
settings.load_profile("brownout")

ROOT = Path(__file__).parents[1]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def reseeded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test of a module with a generator ``RNG`` draws from its start, whichever tests ran before it."""
    if isinstance(getattr(request.module, "RNG", None), np.random.Generator):
        monkeypatch.setattr(request.module, "RNG", np.random.default_rng(0))


@pytest.fixture(scope="session", autouse=True)
def copied_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """New stores of MLflow are copies of one that MLflow itself made, whose sixty migrations take two seconds."""
    template, made = tmp_path_factory.mktemp("mlflow") / "mlflow.db", mlflow_store.new_store

    @wraps(made)
    @contextmanager
    def copied(database: Path, artifacts: Path) -> Iterator[Path]:
        if not template.exists():
            with made(template, Path("/artifacts")) as first:
                first.rename(template)
        with mlflow_store.workshop(database) as fresh:
            shutil.copyfile(template, fresh)
            with closing(sqlite3.connect(fresh)) as connection, connection:
                place = "update experiments set artifact_location = replace(artifact_location, 'file:///artifacts', ?)"
                connection.execute(place, (artifacts.resolve().as_uri(),))
            yield fresh

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_store, "new_store", copied)
        yield


@pytest.fixture
def write_dataset(tmp_path: Path) -> Write:
    """Write a dataset folder from columns; returns its path."""

    def write(
        columns: dict[str, Sequence[float | None]],
        *,
        times: Sequence[str | None],
        entities: Sequence[str | None],
        header: str = 'name = "made"\ninterval_s = 60\n',
        name: str = "made",
        **files: str,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.toml").write_text(header)
        stamps = [None if time is None else np.datetime64(time, "ms").astype(object) for time in times]
        table = pa.table(
            {
                "time": pa.array(stamps, pa.timestamp("ms", "UTC")),
                "entity": pa.array(entities, pa.string()).dictionary_encode(),
                **{key: pa.array(values, pa.float32()) for key, values in columns.items()},
            }
        )
        pq.write_table(table, folder / "samples.parquet")
        for stem, text in files.items():
            (folder / f"{stem}.csv").write_text(text)
        return folder

    return write


HEAVY = (
    "tests/integration/test_lab.py",
    "tests/integration/test_deployment.py",
    "demo",
    "tests/integration/test_influxdb1_night.py",
    "tests/behaviour/test_night.py",
    "tests/integration/test_probe_consoles.py",
    "tests/unit/adapters/test_tracking_store.py",
)
"""Groups that take longest: they go first, so that no process waits for another one at the end."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs a file, with its fixtures; all tests that look at the demo are one group more."""
    for item in items:
        group = "demo" if "installed" in getattr(item, "fixturenames", ()) else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _rank(item.get_closest_marker("xdist_group")))


def _rank(group: pytest.Mark | None) -> int:
    name = "" if group is None else group.args[0]
    return HEAVY.index(name) if name in HEAVY else len(HEAVY)


@dataclass(frozen=True)
class Ran:
    """A finished command and its output folder."""

    out: Path
    stdout: str
    stderr: str
    seconds: float


def brownout(*arguments: str | Path, cwd: Path | None = None, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own."""
    program = Path(sys.executable).with_name("brownout")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd, timeout=540
    )
    assert done.returncode == expect, done.stderr
    return done


def invoke(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: where the process is not what is tested, its imports cost seconds."""
    command = ["brownout", *map(str, arguments)]
    stdout, stderr = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
    done = subprocess.CompletedProcess(command, int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="module")
def small_forests() -> Iterator[None]:
    """Detectors of 20 trees for a module whose tests ask for no accuracy: storing 100 takes most of a small night."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "DetectorSettings", partial(DetectorSettings, trees=20))
        yield


@pytest.fixture(scope="module")
def quick_training(small_forests: None) -> Iterator[None]:
    """Trainings of a module whose tests ask for no accuracy: small forests, reviews of two windows."""
    del small_forests
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecaster_comparison, "ORIGINS", 2)
        yield


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the back end that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the wheel in an environment of its own, which sees the dependencies of this one and no clone."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, symlinks=True)
    command = [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True, capture_output=True)
    packages, here = (sysconfig.get_path("purelib", vars={"base": str(base)}) for base in (folder, sys.prefix))
    (Path(packages) / "dependencies.pth").write_text(f"{here}\n")
    return folder / "bin" / "brownout"


@pytest.fixture(scope="session")
def demo(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo of the wheel in another folder, run once for all tests that look at what it leaves behind."""
    elsewhere = tmp_path_factory.mktemp("demo")
    known = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    started = time.monotonic()
    done = subprocess.run(
        [installed, "demo", "--out", "out"], cwd=elsewhere, env=known, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Ran(elsewhere / "out", done.stdout, done.stderr, time.monotonic() - started)
