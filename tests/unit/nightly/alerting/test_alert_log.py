"""Alerts from run to run: what begins, goes on and ends, over seven simulated days with kills and flicker."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from brownout.domain.findings import Alert, Severity, TimedAlert
from brownout.nightly.effects.alerting.alert_log import AlertLog, Damping, follow, timed_alerts

START = np.datetime64("2026-03-16T00:00", "ms")
MINUTE = np.timedelta64(60_000, "ms")
DAMPING = Damping(hold_s=3600, resend_s=900)


def alert(source: str = "d1", *, cause: str = "HW-01", severity: Severity = Severity.CRITICAL, **more: object) -> Alert:
    made = Alert(
        source=source,
        entity="kvm1",
        labels={"alertname": "BrownoutIncident", "cause": cause, "entity": "kvm1", "severity": str(severity)},
        annotations={"summary": "kvm1 is busy"},
        severity=severity,
        weight=1.0,
        starts=START,
    )
    return replace(made, **more)


def step(log: AlertLog, found: Iterable[Alert], minutes: float, **more: object) -> AlertLog:
    return follow(log, found, now=START + MINUTE * round(minutes), damping=DAMPING, **more)


@dataclass
class Alertmanager:
    """What a real one does with what it is sent, on a clock of our own: the alert is active until its end."""

    ends: dict[str, np.datetime64] = field(default_factory=dict)

    def send(self, alerts: Iterable[TimedAlert]) -> None:
        for timed in alerts:
            assert timed.starts < timed.ends
            self.ends[timed.alert.identity] = timed.ends

    def active(self, now: np.datetime64) -> set[str]:
        return {identity for identity, ends in self.ends.items() if now < ends}


def test_seven_days_without_a_flap() -> None:
    """A run each 15 minutes; for up to 45 minutes nothing is found or runs are killed before, between and after sends."""
    rng = np.random.default_rng(5)
    disk, server = AlertLog(), Alertmanager()
    first, last = 60 * 26, 60 * 120
    active: list[bool] = []
    unseen = kills = flickers = 0
    for minute in range(7 * 24 * 60):
        now = START + MINUTE * minute
        if minute % 15 == 0:
            kill = rng.choice(["", "before", "between", "after"], p=[0.4, 0.2, 0.2, 0.2]) if kills < 2 else ""
            kills = kills + 1 if kill else 0
            found = first <= minute < last and not (minute > first and unseen < 3 and rng.random() < 0.4)
            flickers += first <= minute < last and not found
            if unseen == 3:
                kill = ""
            unseen = 0 if found and kill != "before" else unseen + 1
            if kill != "before":
                incident = [alert(starts=START + MINUTE * first)] if found else []
                disk = log = follow(disk, incident, now=now, damping=DAMPING)
                if kill != "between":
                    server.send(timed_alerts(log, now=now, damping=DAMPING))
                if not kill:
                    disk = replace(log, alerts=tuple(replace(t, resolved=not t.fires) for t in log.alerts))
        active.append(bool(server.active(now)))
    assert flickers > 50
    edges = np.flatnonzero(np.diff(np.array(active).astype(int)))
    assert len(edges) == 2
    assert first <= edges[0] + 1 <= first + 45
    assert last <= edges[1] + 1 <= last + 120


def test_an_alert_keeps_labels_and_start_whatever_is_found_later() -> None:
    log = step(AlertLog(), [alert()], 0)
    log = step(log, [alert(cause="HW-02", starts=START + MINUTE * 10, annotations={"summary": "new"})], 15)
    (tracked,) = log.alerts
    assert (tracked.alert.labels["cause"], tracked.alert.starts) == ("HW-01", START)
    assert tracked.alert.annotations == {"summary": "new"}


def test_an_incident_whose_id_changed_is_the_same_alert() -> None:
    log = step(step(AlertLog(), [alert("d1")], 0), [alert("d2")], 15)
    assert len(log.alerts) == 1


def test_what_becomes_critical_begins_anew_and_ends_under_its_former_labels() -> None:
    doubt = alert(cause="unknown", severity=Severity.WARNING)
    log = step(step(AlertLog(), [doubt], 0), [alert()], 15)
    assert {(t.alert.labels["cause"], t.fires) for t in log.alerts} == {("unknown", False), ("HW-01", True)}
    log = step(log, [doubt], 30)
    assert [t.alert.labels["cause"] for t in log.firing] == ["HW-01"]


def test_what_is_not_sure_begins_nothing_but_keeps_an_alert_going() -> None:
    weak = alert(begins=False)
    assert step(AlertLog(), [weak], 0).alerts == ()
    log = step(AlertLog(), [alert()], 0)
    for minutes in range(15, 600, 15):
        log = step(log, [weak], minutes)
    assert len(log.firing) == 1


def test_nothing_begins_in_maintenance_and_what_fires_ends_at_once() -> None:
    log = step(AlertLog(), [alert()], 0, in_maintenance=lambda entity: entity == "kvm1")
    assert log.alerts == ()
    log = step(step(log, [alert()], 15), [alert()], 30, in_maintenance=lambda entity: entity == "kvm1")
    assert not log.firing
    assert [timed.ends for timed in timed_alerts(log, now=START + MINUTE * 30, damping=DAMPING)] == [
        START + MINUTE * 30
    ]


def test_what_comes_back_within_a_day_was_told_already_and_is_held_longer() -> None:
    log = step(AlertLog(), [alert()], 0)
    log = replace(log, alerts=(replace(log.alerts[0], notice="n1"),))
    log = step(log, [], 60)
    assert not log.firing
    log = step(log, [alert()], 120)
    assert [(t.notice, t.returns) for t in log.firing] == [("n1", 1)]
    assert step(log, [], 180).firing
    assert not step(log, [], 240).firing


@pytest.mark.parametrize("resend_s", [60, 900, 86_400])
def test_an_alert_outlives_three_runs_that_did_not_take_place(resend_s: float) -> None:
    damping = Damping(hold_s=3600, resend_s=resend_s)
    (timed,) = timed_alerts(step(AlertLog(), [alert()], 0), now=START, damping=damping)
    assert (timed.ends - START) / np.timedelta64(1, "s") == 4 * resend_s
