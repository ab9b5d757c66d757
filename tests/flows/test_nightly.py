"""The nightly flow itself: what is retried, what is not, what it hands on, and who gives way to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import yaml
from fakes import MemoryTracker

from brownout import bootstrap
from brownout.domain.errors import LockedError
from brownout.nightly.effects import trained_models
from brownout.operate import night_job
from brownout.settings import load_settings
from brownout.store.night_lock import lock_holder, night_lock

ROOT = Path(__file__).parents[2]
NAB = ROOT / "tests" / "data" / "nab-aws"
PAGE = "https://reports.example.org/index.html"


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One temporary Prefect server for this module, with a database of its own."""
    from brownout_pipelines.runtime import prefect_environment

    with prefect_environment(state=tmp_path_factory.mktemp("prefect")) as runtime:
        assert runtime.problem is None
        yield


class Flaky:
    """Fails so often before it works."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.calls = error, times, 0

    def __call__(self, *_arguments: object) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "done"


@pytest.fixture
def without_delay(monkeypatch: pytest.MonkeyPatch) -> Any:
    from brownout_pipelines import nightly

    monkeypatch.setattr(nightly.sync_history, "retry_delay_seconds", 0)
    return nightly


def run(nightly: Any, sync: Flaky) -> object:
    from types import SimpleNamespace

    from prefect import flow
    from prefect.utilities.annotations import quote

    job = quote(SimpleNamespace(sync=sync))

    @flow
    def one() -> object:
        return nightly.sync_history(job)

    return one()


def test_reading_that_failed_is_tried_again(without_delay: Any) -> None:
    flaky = Flaky(ConnectionError("cut"), 2)
    assert run(without_delay, flaky) == "done"
    assert flaky.calls == 3


def test_reading_that_keeps_failing_fails_after_three_more(without_delay: Any) -> None:
    flaky = Flaky(TimeoutError("disk"), 99)
    with pytest.raises(TimeoutError, match="disk"):
        run(without_delay, flaky)
    assert flaky.calls == 4


def test_arithmetic_that_failed_is_not_tried_again(without_delay: Any) -> None:
    flaky = Flaky(ValueError("wrong"), 1)
    with pytest.raises(ValueError, match="wrong"):
        run(without_delay, flaky)
    assert flaky.calls == 1


def test_deployments_point_at_flows_that_take_their_parameters() -> None:
    from prefect.flows import load_flow_from_entrypoint

    table = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    names = {}
    for deployment in table["deployments"]:
        path, name = deployment["entrypoint"].split(":")
        flow = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
        begins = deployment.get("schedules") or deployment["triggers"]
        names[flow.name] = begins[0].get("cron", begins[0].get("expect"))
        given = begins[0].get("parameters", {})
        assert set(given) <= set(flow.parameters.properties)
    assert names == {
        "brownout-nightly": "15 2 * * *",
        "brownout-watch": "*/5 * * * *",
        "brownout-retrain": "30 4 * * 0",
        "brownout-monthly": "0 6 1 * *",
        "brownout-failure": ["prefect.flow-run.Failed", "prefect.flow-run.Crashed"],
    }


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryTracker:
    tracker = MemoryTracker()
    monkeypatch.setattr(bootstrap, "open_tracker", lambda *_given: tracker)
    return tracker


def night(out: Path) -> Any:
    from brownout_pipelines.nightly import nightly

    config = out.parent / "settings.toml"
    config.write_text(f'[forecast]\ntrain_steps = 20\n\n[alerts]\nreport_url = "{PAGE}"\n')
    return nightly(out=out, config=config, dataset=NAB)


@pytest.mark.usefixtures("small_forests")
def test_the_same_data_never_train_again(
    registry: MemoryTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brownout_pipelines import nightly as flow

    links: list[str] = []
    monkeypatch.setattr(flow, "create_link_artifact", lambda link, **_given: links.append(link))
    night(tmp_path / "out")
    assert links == [PAGE]
    first = dict(registry.runs)
    assert set(first) == {"brownout-forecaster", "brownout-detector"}
    for name, run in first.items():
        assert run["reason"] == "there was none", name
        assert run["data"].sha256 == run["data_sha256"], name
        files = ["backtest.csv", "residuals.svg"] if name == "brownout-forecaster" else []
        assert run["artifacts"] == ["card.html", "training.json", *files], name
        assert "Trained because there was none" in str(run["description"])
        assert run["brownout.data_sha256"] == run["data_sha256"]
    night(tmp_path / "out")
    assert len(registry.runs) == 2
    assert not list((tmp_path / "out" / "models").glob("*-challenger"))
    cards = {path.name for path in (tmp_path / "out" / "report" / "cards").iterdir()}
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert len(cards) == 2
    assert all(f'href="cards/{name}"' in page for name in cards)


@pytest.mark.usefixtures("small_forests")
def test_a_training_that_fails_leaves_a_failed_run_that_says_why(
    registry: MemoryTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_options: object) -> None:
        raise ValueError("the forest does not grow")

    monkeypatch.setattr(trained_models, "fit_detector", broken)
    with pytest.raises(ValueError, match="does not grow"):
        night(tmp_path / "out")
    failed = [run for name, run in registry.runs if name == "brownout-detector"]
    assert [run["failed"] for run in failed] == ["ValueError: the forest does not grow"]
    assert failed[0]["reason"] == "there was none"
    assert not list((tmp_path / "out" / "models").glob("*-failures.json"))  # told once


def test_missed_nights_are_made_first_each_as_of_its_own_time(
    registry: MemoryTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brownout_pipelines import nightly as flow

    out, made = tmp_path / "out", list[str]()
    now = np.datetime64("2014-04-24T02:15", "ms")  # the data end at 00:39
    monkeypatch.setattr(bootstrap, "clock", lambda: now)
    last = out / "archive" / "2014-04-20T0215Z"
    last.mkdir(parents=True)
    (last / "report.json").touch()

    def one_night(_settings: object, _out: Path, as_of: np.datetime64 | None) -> tuple[str, tuple[str, ...], int]:
        made.append("now" if as_of is None else str(as_of))
        return f"page of {made[-1]}", (f"night {len(made)}",), 0

    monkeypatch.setattr(flow, "one_night", one_night)
    page, said, code = flow.nightly(out=out, dataset=NAB, catch_up=2)
    earlier = ["2014-04-22T02:15:00", "2014-04-23T02:15:00"]
    assert made == [*earlier, "now"]
    assert (page, code) == ("page of now", 0)
    assert said[:2] == (f"caught up with the night of {earlier[0]} UTC", "night 1")
    assert said[-1] == "night 3"
    assert registry.runs == []


def test_a_shard_that_keeps_failing_stops_no_other(without_delay: Any) -> None:
    from prefect import flow

    shown: list[float] = []

    def work(number: int) -> float:
        return 12 / number

    @flow(task_runner=without_delay.RUNNER)
    def three() -> list[Any]:
        found: list[Any] = without_delay.prefect_map(
            "divide", work, [3, 0, 4], lambda _stage, share: shown.append(share)
        )
        return found

    first, lost, last = three()
    assert (first, last) == (4, 3)
    assert (lost.item, type(lost.error)) == (0, ZeroDivisionError)
    assert shown == [1 / 3, 2 / 3, 1]


@contextmanager
def held_by(command: str, out: Path) -> Iterator[Callable[[], None]]:
    """The folder in the hands of another run; yields what makes that run end."""
    held, over = Event(), Event()

    def other_run() -> None:
        with night_lock(out, command=command, now=np.datetime64("2026-03-16T02:15")):
            held.set()
            over.wait(60)

    thread = Thread(target=other_run)
    thread.start()
    try:
        assert held.wait(60)
        yield over.set
    finally:
        over.set()
        thread.join()


def test_watch_and_retrain_give_way_to_a_night(tmp_path: Path) -> None:
    from brownout_pipelines.retrain import retrain
    from brownout_pipelines.watch import watch

    with held_by("brownout nightly", tmp_path / "out"):
        assert watch(out=tmp_path / "out") == ""
        assert retrain(out=tmp_path / "out") == ()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["night.lock"]


def test_a_night_waits_for_a_pass_of_watch_and_a_pass_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brownout_pipelines.watch import watch

    job = bootstrap.open_job(load_settings(None), tmp_path)
    with held_by("brownout watch", tmp_path) as end:
        assert watch(out=tmp_path) == ""
        monkeypatch.setattr(night_job, "PASS_PATIENCE_S", 0.2)
        with pytest.raises(LockedError, match="brownout watch"), job.alone("brownout nightly"):
            pytest.fail("two at once")
        monkeypatch.setattr(night_job, "PASS_PATIENCE_S", 60.0)
        end()
        with job.alone("brownout nightly"):
            holder = lock_holder(tmp_path)
            assert holder is not None
            assert holder.command == "brownout nightly"
