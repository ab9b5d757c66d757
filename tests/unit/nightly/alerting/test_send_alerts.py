"""Sending: the budget, what is sent again, what a kill leaves, and what is told of what did not work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from nights import hours, night

from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.errors import AlertError
from brownout.domain.findings import Notice, TimedAlert
from brownout.domain.night import Night
from brownout.nightly.effects import SideEffects
from brownout.nightly.effects.alerting import Alerting, read_alert_log, send_alerts
from brownout.settings import AlertSettings
from brownout.store.workspace import Workspace

AWAY = AlertError("No answer.", remedy="Wait.")
LOST = AlertError("No answer in time.", remedy="Wait.", uncertain=True)


class KilledError(BaseException):
    """A kill in the middle."""


@dataclass
class Receiver:
    errors: list[BaseException] = field(default_factory=list)
    name: str = "pager"
    sent: list[Notice] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    alerts: list[Sequence[TimedAlert]] = field(default_factory=list)

    def send(self, what: Notice | Sequence[TimedAlert]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        (self.sent if isinstance(what, Notice) else self.alerts).append(what)  # type: ignore[arg-type]

    def resolve(self, notice: Notice) -> None:
        self.resolved.append(notice.id)


@dataclass
class Site:
    folder: Path
    server: Receiver = field(default_factory=Receiver)
    people: Receiver = field(default_factory=Receiver)
    settings: AlertSettings = field(default_factory=lambda: AlertSettings(resend_minutes=15))
    calendar: Calendar = field(default_factory=Calendar)

    def run(self, found: Night, minutes: float = 0) -> SideEffects:
        """A run so long after the first one."""
        effects = SideEffects()
        moved = np.timedelta64(round(minutes * 60), "s")
        later = replace(found, created=found.created + moved, end=found.end + moved)
        alerting = Alerting(
            settings=self.settings, open_receiver=lambda: self.server, open_channels=lambda _complain: [self.people]
        )
        send_alerts(later, alerting, self.calendar, Workspace(self.folder), effects)
        return effects


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def quiet() -> Night:
    return replace(night(), diagnoses=(), breaches=())


def incidents(number: int) -> Night:
    """So many open incidents, each at a host of its own."""
    made = night()
    known, unknown = made.diagnoses[0].causes
    return replace(
        made,
        breaches=(),
        diagnoses=tuple(
            replace(made.diagnoses[0], id=f"d{n}", causes=(replace(known, entity=f"kvm{n}"), unknown))
            for n in range(number)
        ),
    )


def test_a_night_is_sent_to_the_server_and_in_one_message(site: Site) -> None:
    effects = site.run(night())
    assert effects.exit_code == 0
    assert [timed.alert.labels["alertname"] for timed in site.server.alerts[0]] == [
        "BrownoutIncident",
        "BrownoutForecast",
    ]
    (message,) = site.people.sent
    assert message.title.startswith("[critical] Host CPU saturated at kvm1")
    assert "\n\nAlso:\n- Guest memory usable of vm1 will probably cross 10 % between" in message.text


def test_running_again_sends_the_same_to_the_server_and_nothing_to_people(site: Site) -> None:
    for minutes in (0, 15, 30):
        site.run(night(), minutes)
    assert len(site.server.alerts) == 3
    assert len({tuple(timed.alert.identity for timed in sent) for sent in site.server.alerts}) == 1
    assert (
        len(
            {
                timed.starts
                for sent in site.server.alerts
                for timed in sent
                if "Incident" in timed.alert.labels["alertname"]
            }
        )
        == 1
    )
    assert len(site.people.sent) == 1


def test_what_is_over_is_resolved_once_and_told_nobody(site: Site) -> None:
    site.run(night())
    for minutes in (60, 75, 90):
        site.run(quiet(), minutes)
    ends = [[timed.ends <= hours(24.25) + np.timedelta64(60, "m") for timed in sent] for sent in site.server.alerts[1:]]
    assert ends == [[True, True], [], []]
    assert len(site.people.sent) == 1
    assert site.people.resolved == [site.people.sent[0].id]


def test_a_resolution_that_did_not_arrive_is_sent_again(site: Site) -> None:
    site.run(night())
    site.server.errors = [AWAY]
    assert site.run(quiet(), 60).exit_code == 1
    site.run(quiet(), 75)
    assert len(site.server.alerts[-1]) == 2


def test_two_messages_in_eight_hours_whatever_happens(site: Site) -> None:
    """Every quarter of an hour another host fails, for a day."""
    times = []
    for run in range(96):
        before = len(site.people.sent)
        site.run(incidents(run + 1), 15 * run)
        times += [15 * run] * (len(site.people.sent) - before)
    assert len(times) > 4
    assert all(later - first >= 480 for first, later in zip(times, times[2:], strict=False))
    told = {tracked.alert.entity for tracked in read_alert_log(Workspace(site.folder)).alerts if tracked.notice}
    assert len(told) > 60
    waited = max((message.text for message in site.people.sent), key=len)
    assert "; likewise kvm" in waited
    assert len(waited) < 2000


def test_the_last_message_of_a_shift_is_kept_for_what_is_critical(site: Site) -> None:
    made = night()
    breach = next(b for b in made.breaches if b.probability > 0.5)
    leaks = replace(made, diagnoses=(), breaches=(breach,))
    more = replace(leaks, breaches=(breach, replace(breach, series=replace(breach.series, entity="vm2"))))
    site.run(leaks)
    site.run(more, 15)
    assert len(site.people.sent) == 1
    site.run(replace(more, diagnoses=made.diagnoses), 30)
    assert [message.severity for message in site.people.sent] == ["warning", "critical"]
    assert "vm2" in site.people.sent[1].text


@pytest.mark.parametrize(("error", "budget_used"), [(AWAY, 0), (LOST, 1)])
def test_a_message_that_failed_is_told_and_sent_by_the_next_run(
    site: Site, error: AlertError, budget_used: int
) -> None:
    site.people.errors = [error]
    effects = site.run(night())
    assert effects.exit_code == 1
    assert effects.lines()[-1] == f"tell people by pager did not work: {error.what} Wait."
    (sent,) = read_alert_log(Workspace(site.folder)).notices
    assert len(sent.tries) == budget_used
    assert site.run(night(), 15).exit_code == 0
    site.run(night(), 30)
    assert len(site.people.sent) == 1


def test_a_server_that_is_away_takes_nothing_from_people(site: Site) -> None:
    site.server.errors = [AWAY]
    assert site.run(night()).exit_code == 1
    assert len(site.people.sent) == 1


@pytest.mark.parametrize("where", ["server", "people"])
def test_a_kill_in_the_middle_forgets_nothing(site: Site, where: str) -> None:
    getattr(site, where).errors = [KilledError()]
    with pytest.raises(KilledError):
        site.run(night())
    site.run(night(), 15)
    assert len(site.server.alerts[-1]) == 2
    assert len(site.people.sent) == 1


def test_a_damaged_file_is_told_and_set_aside_and_alerts_go_out(site: Site) -> None:
    site.run(night())
    (site.folder / "alerts.json").write_text("{", encoding="utf-8")
    effects = site.run(night(), 15)
    assert effects.exit_code == 1
    assert "cannot be read" in effects.lines()[0]
    assert len(site.server.alerts) == 2
    assert (site.folder / "alerts.damaged").is_file()
    assert site.run(night(), 30).exit_code == 0


def test_a_file_that_cannot_be_read_or_replaced_ends_no_night(site: Site) -> None:
    (site.folder / "alerts.json").mkdir()
    effects = site.run(night())
    assert [outcome.effect for outcome in effects.failures] == ["read who was told of which alert", "keep the alerts"]
    assert site.server.alerts == []


def test_nothing_during_maintenance(site: Site) -> None:
    window = Maintenance(name="upgrade", entities=("kvm1",), once=(hours(24), hours(25)))
    site.calendar = Calendar((window,))
    site.run(night())
    assert (site.server.alerts, site.people.sent) == ([()], [])
    site.run(night(), 60)
    assert (len(site.server.alerts[-1]), len(site.people.sent)) == (2, 1)


def test_old_data_begin_and_end_nothing(site: Site) -> None:
    stale = replace(night(), created=hours(24 + 25))
    effects = site.run(stale)
    assert (site.server.alerts, site.people.sent, effects.exit_code) == ([], [], 0)
    assert "not sent" in effects.lines()[0]


def test_channels_that_cannot_be_opened_are_told(site: Site) -> None:
    def refuse(_complain: object) -> list[Receiver]:
        raise AWAY

    effects = SideEffects()
    made: Callable[[object], Sequence[Receiver]] = refuse
    send_alerts(
        night(), Alerting(settings=site.settings, open_channels=made), Calendar(), Workspace(site.folder), effects
    )
    assert effects.exit_code == 1
    assert not read_alert_log(Workspace(site.folder)).notices
