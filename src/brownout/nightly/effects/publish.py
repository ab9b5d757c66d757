"""Publish a night: its effects on the outside, in an order in which nothing later can take away what came before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from brownout.domain.errors import DataError
from brownout.domain.night import Night
from brownout.domain.ports import SampleStore, Tracker
from brownout.nightly.context import NightContext
from brownout.nightly.effects.alert_state_file import write_alert_state
from brownout.nightly.effects.alerting import Alerting, send_alerts
from brownout.nightly.effects.champions import waiting_models
from brownout.nightly.effects.model_log import log_models
from brownout.nightly.effects.report_archive import write_night_report
from brownout.nightly.effects.review.drift_file import keep_drift
from brownout.nightly.effects.review.shadow_runs import shadow_challenger
from brownout.nightly.effects.side_effects import SideEffects
from brownout.nightly.effects.write_back import Sink, write_back
from brownout.nightly.run import NightResult, lost_sentences
from brownout.reporting.numbers import clock, span
from brownout.store.as_of import StoreAsOf
from brownout.store.history import History
from brownout.store.integrity import set_aside
from brownout.store.workspace import Workspace

__all__ = ["LOGGING", "Services", "publish"]

LOGGING = "log the trainings in MLflow"
PRUNING = "remove old trainings from MLflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What stands beside a night, opened when it is needed: None where the settings name none.

    ``open_sink`` gives what points are written to, ``open_tracker`` where trainings are logged; both may raise what
    ``EXPECTED`` names. ``alerting`` is where alerts go; a night of an earlier time has none.
    """

    open_sink: Callable[[], Sink] | None = None
    open_tracker: Callable[[], Tracker] | None = None
    alerting: Alerting | None = None


def publish(
    result: NightResult, context: NightContext, workspace: Workspace, services: Services, effects: SideEffects
) -> Path:
    """Report and archive, alert state, write-back, alerts, log of trainings; returns the path of the report's page.

    The report and the alert state must succeed: an error there ends the night. What fails after them is kept in
    ``effects``.
    """
    report_settings = context.settings.report
    page = write_night_report(
        result.night, workspace, keep_days=report_settings.archive_days, language=report_settings.language
    )
    write_alert_state(workspace, result.night)
    keep_drift(workspace.forecaster, result.night.drift)
    if context.settings.review.shadow_nights:
        effects.run("try the forecaster that waits", lambda note: shadow_challenger(context, workspace, note))
    _tell_if_stale(result.night, effects)
    for sentence in lost_sentences(result.lost):
        effects.fail("judge everything", DataError(sentence, remedy="The next night tries again; its cause is above."))
    _set_damage_aside(context.store, effects)
    if services.open_sink is not None:
        open_sink = services.open_sink
        effects.run("write back", lambda _note: write_back(result, context.metrics, open_sink()))
    if services.alerting is not None:
        send_alerts(result.night, services.alerting, context.calendar, workspace, effects)
    if services.open_tracker is not None:
        open_tracker, tracking_days = services.open_tracker, context.settings.tracking.keep_days
        now = context.created.astype("datetime64[ms]").astype(float) / 1000
        records = effects.run(LOGGING, lambda note: log_models(workspace, open_tracker(), note))
        if records is not None and records != result.night.models:
            night = replace(result.night, models=records, waiting=waiting_models(workspace))
            effects.run(
                "name the models in the report",
                lambda _note: write_night_report(
                    night, workspace, keep_days=report_settings.archive_days, language=report_settings.language
                ),
            )
        if records is not None:
            effects.run(PRUNING, lambda _note: open_tracker().prune(keep_days=tracking_days, now=now))
    return page


def _tell_if_stale(night: Night, effects: SideEffects) -> None:
    """Let the end of the night, and with it cron, say that telemetry has stopped."""
    if night.freshness is None or not night.freshness.stale:
        return
    what = f"The newest sample is of {clock(night.freshness.newest)} UTC, {span(night.freshness.age_s)} ago."
    remedy = "Check the collectors, the database and the clock of this machine; `brownout doctor` says more."
    effects.fail("find telemetry of now", DataError(what, remedy=remedy))


def _aside(path: Path, _note: Callable[[str], None]) -> None:
    set_aside(path)


def _set_damage_aside(store: SampleStore, effects: SideEffects) -> None:
    """Tell of each damaged file of the history, and set it aside, so that the next sync brings its time again."""
    history = store.store if isinstance(store, StoreAsOf) else store
    for path, error in history.damaged.items() if isinstance(history, History) else ():
        effects.fail("read all of the history", error)
        if path.exists():
            effects.run("set a damaged file aside", partial(_aside, path))
