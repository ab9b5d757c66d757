"""MLflow's sqlite file below --out: what kills, moves, deletions and damage do to it."""

import gzip
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brownout.adapters import mlflow_store
from brownout.adapters.mlflow_store import is_whole
from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import ModelError, TrackingError
from brownout.store.leftovers import remove_leftovers

DATA = Path(__file__).parents[2] / "data" / "mlflow"
DAY = 86_400.0


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run, made once, by MLflow's own migrations: other tests get copies of such a store."""
    out = tmp_path_factory.mktemp("fresh") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_store, "new_store", mlflow_store.new_store.__wrapped__)
        log(out, "first")
    return out


@pytest.fixture
def out(fresh: Path, tmp_path: Path) -> Path:
    """A copy of it: what the operator does who wants to try something."""
    return Path(shutil.copytree(fresh, tmp_path / "out"))


def tracker(out: Path) -> MlflowTracker:
    return MlflowTracker.in_folder(out, "brownout")


def log(out: Path, text: str, model: str = "m") -> tuple[str, tuple[str, ...]]:
    """Log and register a model of one file; returns its address and the notes."""
    folder = out / "models"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(text)
    with tracker(out).run("training") as run:
        run.parameters({"seed": 1})
        return run.register(model, folder, alias="champion", tags={}), run.notes


def fetched(out: Path, uri: str = "models:/m@champion") -> str:
    target = out.parent / "fetched"
    shutil.rmtree(target, ignore_errors=True)
    return (tracker(out).fetch(uri, target) / "card.json").read_text()


def test_a_store_that_a_kill_left_half_made_is_replaced_and_kept(tmp_path: Path) -> None:
    for name in ("mlflow.db", "mlflow.db-journal"):
        (tmp_path / name).write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    _, notes = log(tmp_path, "card")
    assert any("mlflow.db.broken-1" in note for note in notes), notes
    assert (tmp_path / "mlflow.db.broken-1").exists()
    assert fetched(tmp_path) == "card"
    assert log(tmp_path, "again")[1] == ()


@pytest.mark.parametrize("damage", ["cut", "header", "zeros", "text"])
def test_a_damaged_store_is_replaced_and_kept(out: Path, damage: str) -> None:
    path = out / "mlflow.db"
    data = bytearray(path.read_bytes())
    data[:] = {
        "cut": data[: len(data) // 2],
        "header": b"x" * 100 + data[100:],
        "zeros": data[:4096] + bytes(len(data) - 4096),
        "text": b"not a database",
    }[damage]
    path.write_bytes(data)
    uri, notes = log(out, "card")
    assert uri == "models:/m/1"
    assert ["made anew" in note for note in notes] == [True]
    assert (out / "mlflow.db.broken-1").read_bytes() == data
    assert fetched(out) == "card"


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    assert log(tmp_path, "card") == ("models:/m/1", ())


def test_a_store_of_another_mlflow_is_left_alone(out: Path) -> None:
    with sqlite3.connect(out / "mlflow.db") as database:
        database.execute("update alembic_version set version_num = 'of the future'")
    database.close()
    before = (out / "mlflow.db").read_bytes()
    with pytest.raises(TrackingError, match="of the future") as caught:
        log(out, "card")
    assert "move the file away" in caught.value.remedy
    assert (out / "mlflow.db").read_bytes() == before


def test_a_locked_store_is_worth_another_try(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from brownout.adapters import mlflow_store

    monkeypatch.setattr(
        mlflow_store, "_connect", lambda path: sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0.1)
    )
    other = sqlite3.connect(out / "mlflow.db")
    other.execute("begin exclusive")
    try:
        with pytest.raises(TrackingError, match="locked") as caught:
            log(out, "card")
    finally:
        other.close()
    assert caught.value.transient
    assert not (out / "mlflow.db.broken-1").exists()


def test_an_experiment_that_somebody_deleted_is_restored_with_a_note(out: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracker(out).uri)
    client.delete_experiment(client.get_experiment_by_name("brownout").experiment_id)
    uri, notes = log(out, "second")
    assert uri == "models:/m/2"
    assert notes[-1] == "The experiment 'brownout' had been deleted: restored."
    assert client.get_experiment_by_name("brownout").lifecycle_stage == "active"


def test_a_moved_folder_keeps_all_it_has_and_writes_nowhere_else(out: Path, tmp_path: Path) -> None:
    moved = out.rename(tmp_path / "moved")
    assert fetched(moved) == "first"
    _, notes = log(moved, "second")
    assert ["moved or copied" in note for note in notes] == [True]
    assert not out.exists()
    assert [fetched(moved, f"models:/m/{version}") for version in (1, 2)] == ["first", "second"]
    with sqlite3.connect(moved / "mlflow.db") as database:
        rows = "select source from model_versions union select artifact_location from logged_models"
        sources = [Path(row[0].removeprefix("file://")) for row in database.execute(rows)]
        places = [row[0] for row in database.execute("select artifact_location from experiments")]
    database.close()
    assert all(path.is_dir() for path in sources)
    assert all(place.startswith((moved / "mlflow-artifacts").as_uri()) for place in places)
    assert log(moved, "third")[1] == ()


def test_a_copy_leaves_what_it_was_copied_from_alone(fresh: Path, out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in fresh.rglob("*")}
    log(out, "second")
    assert {path: path.stat().st_mtime_ns for path in fresh.rglob("*")} == before


@pytest.mark.parametrize("name", ["a b", "a%20b#c?d", "überall;x&y=1"])
def test_a_path_may_hold_what_means_something_in_an_address(out: Path, tmp_path: Path, name: str) -> None:
    place = out.rename(tmp_path / name)
    log(place, "second")
    assert fetched(place) == "second"
    assert fetched(place, "models:/m/1") == "first"
    assert {path.name for path in tmp_path.iterdir()} == {name, "fetched"}
    assert (place / "mlflow.db").exists()


def test_fetching_from_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing or not complete"):
        tracker(tmp_path).fetch("models:/m/1", tmp_path / "fetched")
    assert list(tmp_path.iterdir()) == []


READ = """
import os, sys
from pathlib import Path
from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import TrackingError
tracker = MlflowTracker.in_folder(Path(sys.argv[1]), "brownout")
tracker.fetch("models:/m@champion", Path(sys.argv[2]) / "before")  # imports, where Python itself may be root's alone
os.setgid(65534)
os.setuid(65534)
print((tracker.fetch("models:/m@champion", Path(sys.argv[2])) / "card.json").read_text())
try:
    with tracker.run("training"):
        print("written")
except TrackingError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_who_may_only_read_reads_and_is_told_that_nothing_was_written(fresh: Path) -> None:
    other = Path("/var/tmp") / f"brownout-{os.getpid()}"  # noqa: S108 - pytest's folders are closed to others
    try:
        shutil.copytree(fresh, other / "out")
        for path in [other, *other.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        (other / "fetched").mkdir()
        (other / "fetched").chmod(0o777)
        code = [sys.executable, "-c", READ, other / "out", other / "fetched"]
        done = subprocess.run(
            code, capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/proc/none"}
        )
    finally:
        shutil.rmtree(other)
    assert done.stdout.splitlines()[0] == "first", done.stderr
    assert "readonly" in done.stdout
    assert "Traceback" not in done.stderr


def age(out: Path, days: float, *, run: int) -> None:
    with sqlite3.connect(out / "mlflow.db") as database:
        ids = [row[0] for row in database.execute("select run_uuid from runs order by rowid")]
        database.execute(
            "update runs set start_time = start_time - ? where run_uuid = ?", (days * DAY * 1000, ids[run])
        )
    database.close()


def test_old_runs_go_with_files_and_versions_but_for_what_is_in_use(out: Path) -> None:
    from mlflow import MlflowClient

    for text in ("2", "3", "4", "5", "6"):
        log(out, text)
    MlflowClient(tracker(out).uri, tracker(out).uri).set_registered_model_alias("m", "challenger", "2")
    for run in range(5):
        age(out, 40, run=run)
    for name in ("0" * 32, "models/m-stray"):
        stray = out / "mlflow-artifacts" / name
        stray.mkdir()
        os.utime(stray, (0, 0))
    assert tracker(out).prune(keep_days=60, now=time.time()) == 0
    assert tracker(out).prune(keep_days=14, now=time.time()) == 2  # 1 and 3: 2 has an alias, 4 to 6 are the newest
    assert tracker(out).prune(keep_days=14, now=time.time()) == 0
    with sqlite3.connect(out / "mlflow.db") as database:
        runs = {row[0] for row in database.execute("select run_uuid from runs")}
        models = {row[0] for row in database.execute("select model_id from logged_models")}
    database.close()
    assert {path.name for path in (out / "mlflow-artifacts").iterdir()} == {"models"}
    assert {path.name for path in (out / "mlflow-artifacts" / "models").iterdir()} == models
    assert len(runs) == len(models) == 4
    assert [fetched(out, f"models:/m/{number}") for number in (2, 4, 5, 6)] == ["2", "4", "5", "6"]
    with pytest.raises(ModelError):
        fetched(out, "models:/m/1")


def test_a_run_that_a_kill_left_running_is_marked_as_killed(out: Path) -> None:
    with sqlite3.connect(out / "mlflow.db") as database:
        database.execute("update runs set status = 'RUNNING', end_time = null")
    database.close()
    tracker(out).prune(keep_days=14, now=time.time())
    with sqlite3.connect(out / "mlflow.db") as database:
        assert database.execute("select status from runs").fetchall() == [("KILLED",)]
    database.close()


FORKED = """
import os, signal, sys, threading, time
from pathlib import Path
from brownout.adapters.mlflow_errors import import_mlflow
from brownout.adapters.tracking import MlflowTracker
from brownout.domain.errors import TrackingError
import_mlflow()  # once, which takes seconds: the processes that work are copies of this one
def work(out):
    (out / "models").mkdir(parents=True, exist_ok=True)
    (out / "models" / "x.json").write_text("{}")
    for number in range(3):
        for attempt in range(20):
            try:
                with MlflowTracker.in_folder(out, "brownout").run("r") as run:
                    run.register("m", out / "models", alias="champion", tags={})
                break
            except TrackingError as error:
                if not error.transient:
                    raise
                time.sleep(0.2)
def started(out, delay):
    child = os.fork()
    if child:
        return child
    if delay:
        threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    code = 1
    try:
        work(out)
        code = 0
    finally:
        os._exit(code)
def ended(child):
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
jobs = [(Path(out), float(delay)) for out, delay in zip(sys.argv[2::2], sys.argv[3::2])]
if sys.argv[1] == "together":
    for child in [started(*job) for job in jobs]:
        ended(child)
else:
    for job in jobs:
        ended(started(*job))
"""


def forked(how: str, *jobs: tuple[Path, float]) -> list[int]:
    """Exit codes of processes that log three trainings each, killed after so many seconds (0 = never)."""
    code = [sys.executable, "-c", FORKED, how, *(str(part) for job in jobs for part in job)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def test_killed_while_the_store_is_made_it_is_whole_or_not_there(tmp_path: Path) -> None:
    draw = random.Random(3)
    jobs = [(tmp_path / str(turn), draw.uniform(0.1, 2.0)) for turn in range(5)]
    codes = forked("in turn", *jobs)
    exists = [(out / "mlflow.db").exists() for out, _ in jobs]
    assert all(is_whole(out / "mlflow.db") for (out, _), there in zip(jobs, exists, strict=True) if there)
    # Some were killed before the store was in place.
    assert (-signal.SIGKILL, False) in set(zip(codes, exists, strict=True))
    assert log(tmp_path / "0", "card")[1] == ()
    remove_leftovers(tmp_path / "0")
    assert not list((tmp_path / "0").glob(".*"))


def test_two_trainings_at_once_in_a_fresh_folder_both_arrive(tmp_path: Path) -> None:
    assert forked("together", (tmp_path / "out", 0), (tmp_path / "out", 0)) == [0, 0]
    with sqlite3.connect(tmp_path / "out" / "mlflow.db") as database:
        assert database.execute("select count(*) from runs where status = 'FINISHED'").fetchone() == (6,)
    database.close()


QUIET_IMPORTS = """
import ast, sys, threading
from pathlib import Path
from brownout.adapters.mlflow_errors import import_mlflow
from brownout.adapters.tracking import MlflowTracker
import_mlflow()
parsed, real = [], ast.parse
def parse(*arguments, **options):
    frame = sys._getframe(1)
    parsed.append(frame.f_code.co_filename)
    return real(*arguments, **options)
ast.parse = parse
def work():
    out = Path(sys.argv[1])
    out.mkdir()
    (out / "x.json").write_text("{}")
    with MlflowTracker.in_folder(out, "brownout").run("r") as run:
        run.parameters({"a": 1})
        run.metrics({"a": 1})
        run.register("m", out, alias="champion", tags={})
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(parsed)
"""


def test_once_imported_mlflow_parses_no_source_in_a_thread(tmp_path: Path) -> None:
    code = [sys.executable, "-c", QUIET_IMPORTS, tmp_path / "out"]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout
