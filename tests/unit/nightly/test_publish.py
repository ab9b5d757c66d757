"""The order in which a night meets the outside."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nights import night

from brownout.domain.calendar import Calendar
from brownout.domain.errors import AlertError
from brownout.nightly.effects import SideEffects
from brownout.nightly.effects import publish as module
from brownout.nightly.effects.alerting import Alerting
from brownout.nightly.effects.publish import Services, publish
from brownout.settings import Settings
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
    context: Any = SimpleNamespace(settings=settings, calendar=Calendar(), metrics=found.metrics, created=found.created)
    effects = SideEffects()
    publish(SimpleNamespace(night=found, shards=()), context, workspace, services, effects)  # type: ignore[arg-type]
    assert done == ["write back", "alerts", "log"]
    assert [outcome.effect for outcome in effects.failures] == ["send the alerts"]
    assert effects.exit_code == 1


def test_a_night_of_an_earlier_time_sends_nothing(tmp_path: Path) -> None:
    from brownout.bootstrap import clock, open_job

    assert open_job(Settings(), tmp_path).services.alerting is not None
    assert open_job(Settings(), tmp_path, as_of=clock()).services.alerting is None
