"""The order in which a night meets the outside."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nights import night

from brownout.bootstrap import open_job
from brownout.domain.calendar import Calendar
from brownout.domain.errors import AlertError
from brownout.domain.findings import Freshness
from brownout.nightly.effects import SideEffects
from brownout.nightly.effects import publish as module
from brownout.nightly.effects.alerting import Alerting
from brownout.nightly.effects.publish import Services, publish
from brownout.numerics.slots import days
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.settings import Settings
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace


def test_alerts_come_after_the_write_back_and_before_the_log_and_take_nothing_from_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    done: list[str] = []
    found, settings = night(), Settings()
    workspace = Workspace(tmp_path)

    class Away:
        def send(self, _alerts: object) -> None:
            done.append("alerts")
            assert (tmp_path / "report" / "index.html").is_file()
            raise AlertError("No answer.", remedy="Wait.")

    def sink(_points: Iterable[object]) -> int:
        done.append("write back")
        return 0

    monkeypatch.setattr(module, "log_models", lambda *_: done.append("log") or found.models)
    tracker = SimpleNamespace(prune=lambda **_: 0, run=lambda _name: nullcontext())
    services = Services(
        open_sink=lambda: sink,
        open_tracker=lambda: tracker,  # type: ignore[arg-type,return-value]
        alerting=Alerting(settings=settings.alerts, open_receiver=Away),  # type: ignore[arg-type]
    )
    context: Any = SimpleNamespace(
        settings=settings, calendar=Calendar(), metrics=found.metrics, created=found.created, store=None
    )
    effects = SideEffects()
    publish(SimpleNamespace(night=found, shards=(), lost=()), context, workspace, services, effects)  # type: ignore[arg-type]
    assert done == ["write back", "alerts", "log"]
    assert [outcome.effect for outcome in effects.failures] == ["send the alerts"]
    assert effects.exit_code == 1


def test_a_night_of_an_earlier_time_sends_nothing(tmp_path: Path) -> None:
    from brownout.bootstrap import clock

    assert open_job(Settings(), tmp_path).services.alerting is not None
    assert open_job(Settings(), tmp_path, as_of=clock()).services.alerting is None


@pytest.mark.parametrize("stale", [True, False])
def test_telemetry_that_stopped_lets_cron_notice(tmp_path: Path, stale: bool) -> None:  # noqa: FBT001 - a parameter
    found = night()
    freshness = Freshness(at=found.end + days(20), newest=found.end, age_s=20 * 86400.0, stale=stale)
    context: Any = SimpleNamespace(settings=Settings(), created=found.created, store=None)
    effects, told = SideEffects(), SimpleNamespace(night=replace(found, freshness=freshness), shards=(), lost=())
    publish(told, context, Workspace(tmp_path), Services(), effects)  # type: ignore[arg-type]
    assert effects.exit_code == int(stale)
    assert any("20 d ago" in line for line in effects.lines()) is stale
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_clock_of_a_night_is_now_over_a_live_source_and_the_time_of_a_replay(
    tmp_path: Path, write_dataset: Callable[..., Path]
) -> None:
    times = [f"2026-03-04T{hour:02}:00:00" for hour in range(20)]
    dataset = Dataset.open(write_dataset({"m": range(20)}, times=times, entities=["a"] * 20))
    sync(DatasetSource(dataset), Workspace(tmp_path).history)
    live = Settings(influxdb={"url": "http://127.0.0.1:1", "database": "telegraf"})
    folder, end = Settings(dataset=dataset.folder), np.datetime64("2026-03-04T19:00:00.001", "ms")
    replayed = np.datetime64("2026-03-04T12:00", "ms")
    assert open_job(live, tmp_path).context().at > end + days(30)
    assert open_job(live, tmp_path, as_of=replayed).context().at == replayed
    assert open_job(folder, tmp_path).context().at == end
