"""Alerts at a real Alertmanager and in a real mail, and servers that mean harm or are away."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from alert_servers import HOW_TO_GET_IT, RealAlertmanager, alertmanager, answering, mailbox
from nights import HOSTILE, night
from servers import free_port

from brownout.bootstrap import clock, doctor_services, open_alerting, sync_history
from brownout.domain.calendar import Calendar
from brownout.domain.errors import AlertError
from brownout.domain.findings import Notice, Severity
from brownout.domain.night import Night
from brownout.domain.ports import NoticeChannel, no_progress
from brownout.nightly.effects import SideEffects
from brownout.nightly.effects.alerting import send_alerts
from brownout.operate.checks import Check, State
from brownout.operate.doctor import examine
from brownout.operate.receivers_seen.receiver_checks import TEST
from brownout.settings import AlertSettings, load_settings
from brownout.store.workspace import Workspace

SECRET = "s3cr3t-token-0815"  # noqa: S105 - of no server
NOTICE = Notice(id="n1", severity=Severity.CRITICAL, title="kvm1 is busy", text="at kvm1", entity="kvm1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAlertmanager]:
    if shutil.which("prometheus-alertmanager") is None:
        pytest.skip(HOW_TO_GET_IT)
    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as running:
        yield running


def tonight(host: str, *, ago_minutes: float = 0, guest: str = "vm1") -> Night:
    """The night made by hand, moved to now, with its incident at a host of its own."""
    made = night(guest)
    now = clock() - np.timedelta64(round(ago_minutes * 60), "s")
    known, unknown = made.diagnoses[0].causes
    going_on = replace(
        made.diagnoses[0], causes=(replace(known, entity=host), unknown), start=now - np.timedelta64(1, "h")
    )
    return replace(made, created=now, end=now, diagnoses=(going_on,), breaches=())


def send(found: Night, folder: Path, **settings: object) -> SideEffects:
    effects = SideEffects()
    alerts = AlertSettings.model_validate({"timeout_s": 2, "budget_s": 3, **settings})
    send_alerts(found, open_alerting(alerts), Calendar(), Workspace(folder), effects)
    return effects


def channels(settings: AlertSettings) -> Sequence[NoticeChannel]:
    return open_alerting(settings).channels(SideEffects())


def at(server: RealAlertmanager, host: str) -> list[dict[str, object]]:
    return [alert for alert in server.alerts() if alert["labels"]["entity"] == host]


def test_fire_resend_and_resolve(server: RealAlertmanager, tmp_path: Path) -> None:
    hooks = len(server.hooks)
    report = "https://reports.example.org/index.html"
    assert send(tonight("fires", ago_minutes=70), tmp_path, alertmanager=server.url, report_url=report).exit_code == 0
    (fired,) = at(server, "fires")
    assert fired["labels"] == {
        "alertname": "BrownoutIncident", "cause": "HW-01", "entity": "fires", "metric": "console_update_ms",
        "severity": "critical",
    }  # fmt: skip
    assert fired["annotations"]["link"] == f"{report}#incident-d1"
    assert fired["generatorURL"] == f"{report}#incident-d1"
    assert server.hooked(hooks + 1)[-1]["status"] == "firing"
    send(tonight("fires", ago_minutes=65), tmp_path, alertmanager=server.url)
    (again,) = at(server, "fires")
    assert (again["fingerprint"], again["startsAt"]) == (fired["fingerprint"], fired["startsAt"])
    over = replace(tonight("fires"), diagnoses=())
    assert send(over, tmp_path, alertmanager=server.url).lines() == ("send the alerts: 0 firing, 1 over.",)
    assert at(server, "fires") == []
    told = server.hooked(hooks + 2)[hooks:]
    assert [hook["status"] for hook in told] == ["firing", "resolved"]


def test_a_silenced_alert_is_kept_and_tells_nobody(server: RealAlertmanager, tmp_path: Path) -> None:
    hooks = len(server.hooks)
    server.silence("entity", "silent")
    send(tonight("silent"), tmp_path, alertmanager=server.url)
    (alert,) = at(server, "silent")
    assert alert["status"]["state"] == "suppressed"
    time.sleep(1.5)
    assert len(server.hooks) == hooks


def test_hostile_names_are_text_to_alertmanager(server: RealAlertmanager, tmp_path: Path) -> None:
    host = f"{HOSTILE}\x1b{'x' * 500}"
    assert send(tonight(host), tmp_path, alertmanager=server.url).exit_code == 0
    (name,) = [a["labels"]["entity"] for a in server.alerts() if "script" in a["labels"]["entity"]]
    assert name.startswith(HOSTILE)
    assert len(name) == 200


def test_a_mail_says_what_is_going_on_and_names_are_text(tmp_path: Path) -> None:
    with mailbox() as box:
        url = f"mailto://127.0.0.1:{box.port}?from=brownout@example.org&to=ops@example.org&mode=insecure"
        effects = send(tonight(HOSTILE, guest="web\r\nBcc: all@example.org"), tmp_path, apprise=(url,))
    assert effects.lines() == ()
    (mail,) = box.mails
    assert str(mail["Subject"]).startswith("[critical] Host CPU saturated at vm<script>")
    assert mail["Bcc"] is None
    page = mail.get_body(("html",))
    assert page is None or "<script>" not in page.get_content()
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "Move guests off the host" in body.get_content()


def drip(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.2)


def silence(_handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    time.sleep(8)


def refuse(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    text = f"no: {handler.headers.get('Authorization')} \x1b[31m".encode()
    handler.send_response(401)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def flood(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65_536)


def elsewhere(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.send_response(307)
    handler.send_header("Location", "http://127.0.0.1:1/api/v2/alerts")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@pytest.mark.parametrize("answer", [drip, silence, refuse, flood, elsewhere])
def test_whatever_an_alertmanager_does_it_is_told_in_time_and_without_the_token(
    answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWNOUT_ALERTMANAGER_TOKEN", SECRET)
    begun = time.monotonic()
    with answering(answer) as (url, _):
        effects = send(tonight("kvm1"), tmp_path, alertmanager=url)
    assert time.monotonic() - begun < 12
    assert effects.exit_code == 1
    (line,) = effects.lines()
    assert line.startswith("send the alerts did not work: Alertmanager at ")
    assert SECRET not in line
    assert "\x1b" not in line


@pytest.mark.parametrize("answer", [drip, silence, refuse])
def test_whatever_a_webhook_does_it_is_told_in_time_and_without_its_secrets(
    answer: Answer, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    begun = time.monotonic()
    with answering(answer) as (url, asked):
        address = f"{url.replace('http', 'json')}/{SECRET}?+X-Key={SECRET}"
        effects = send(tonight("kvm1"), tmp_path, apprise=(address,))
    assert time.monotonic() - begun < 12
    assert asked
    assert effects.exit_code == 1
    assert effects.lines()[0].startswith("tell people by Apprise 1 (json) did not work")
    for text in (*effects.lines(), *capfd.readouterr(), caplog.text, (tmp_path / "alerts.json").read_text()):
        assert SECRET not in text


def test_a_server_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    port = free_port()
    effects = send(
        tonight("kvm1"), tmp_path, alertmanager=f"http://127.0.0.1:{port}", apprise=(f"json://127.0.0.1:{port}",)
    )
    assert [outcome.effect for outcome in effects.failures] == ["send the alerts", "tell people by Apprise 1 (json)"]


def test_mentions_and_links_do_nothing_in_a_chat(tmp_path: Path) -> None:
    def take(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with answering(take) as (url, asked):
        effects = send(tonight("<!channel> @here [x](http://evil)"), tmp_path, apprise=(url.replace("http", "json"),))
    assert effects.exit_code == 0
    said = json.loads(asked[0][1])
    assert not set("<>@[]") & set(said["message"])
    assert said["type"] == "failure"


def test_pagerduty_is_triggered_and_resolved_under_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(202)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    monkeypatch.setenv("BROWNOUT_PAGERDUTY_KEY", SECRET)
    with answering(take) as (url, asked):
        send(tonight("kvm1", ago_minutes=70), tmp_path, pagerduty=True, pagerduty_url=url)
        send(replace(tonight("kvm1"), diagnoses=()), tmp_path, pagerduty=True, pagerduty_url=url)
    events = [json.loads(body) for path, body in asked if path == "/v2/enqueue"]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1
    assert events[0]["payload"]["severity"] == "critical"
    assert events[0]["payload"]["source"] == "kvm1"
    assert {event["routing_key"] for event in events} == {SECRET}


def test_pagerduty_without_a_key_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROWNOUT_PAGERDUTY_KEY", raising=False)
    (failure,) = send(tonight("kvm1"), tmp_path, pagerduty=True).failures
    assert failure.remedy == "Set BROWNOUT_PAGERDUTY_KEY in the environment."


def test_a_receiver_that_cannot_be_used_is_named_by_its_place_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROWNOUT_PAGERDUTY_KEY", raising=False)
    with mailbox() as box:
        url = f"mailto://127.0.0.1:{box.port}?from=brownout@example.org&to={{}}@example.org&mode=insecure"
        people = (f"slak://{SECRET}/x", url.format("ann"), f"{SECRET}:x@slack://y", url.format("bob"))
        missing = tmp_path / "people"
        effects = send(tonight("kvm1"), tmp_path, apprise=people, apprise_file=missing, pagerduty=True)
    assert [mail["To"] for mail in box.mails] == ["ann@example.org", "bob@example.org"]
    assert effects.exit_code == 1
    assert {failure.effect for failure in effects.failures} == {"open a way to people"}
    assert [failure.reason for failure in effects.failures] == [
        "Apprise 1 (slak): the address cannot be understood.",
        "Apprise 3 (?): the address cannot be understood.",
        f"apprise_file {missing} cannot be read: No such file or directory.",
        "PagerDuty has no integration key.",
    ]
    assert SECRET not in f"{effects.lines()}"


def test_addresses_come_from_the_environment_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "people"
    file.write_text("# mail\nmailto://u:p@example.org\n\n", encoding="utf-8")
    monkeypatch.setenv("BROWNOUT_ALERTS__APPRISE", f'["json://example.org/{SECRET}"]')
    monkeypatch.setenv("BROWNOUT_ALERTS__APPRISE_FILE", str(file))
    settings = load_settings()
    assert SECRET not in repr(settings)
    names = [channel.name for channel in channels(settings.alerts)]
    assert names == ["Apprise 1 (json)", "Apprise 2 (mailto)"]


def checks(folder: Path | None = None, *, send_test: bool = False, **settings: object) -> dict[str, Check]:
    alerts = AlertSettings.model_validate({"timeout_s": 2, "budget_s": 3, "report_url": "http://r.example", **settings})
    found = examine(
        load_settings(None, alerts=alerts),
        doctor_services(),
        clock(),
        nights=None if folder is None else Workspace(folder),
        send_test=send_test,
    )
    return {check.about: check for check in found if check.about != "settings"}


def test_the_doctor_sees_an_alertmanager_and_tells_it_nothing_unless_asked(server: RealAlertmanager) -> None:
    before = len(server.alerts())
    found = checks(alertmanager=server.url)
    assert found["Alertmanager"].found.startswith("Alertmanager 0.")
    assert "Alertmanager gets all that fires" in found["alerts"].found
    assert len(server.alerts()) == before
    assert checks(alertmanager=server.url, send_test=True)["Alertmanager"].state is State.GOOD
    assert [alert["annotations"]["summary"] for alert in at(server, "brownout doctor")] == [TEST]


def test_the_doctor_tries_a_mail_server_and_its_login_without_a_mail() -> None:
    with mailbox() as box:
        url = f"mailto://{{}}127.0.0.1:{box.port}?from=brownout@example.org&to=ops@example.org&mode=insecure"
        found = checks(apprise=(url.format(""), url.format(f"ann:{SECRET}@")))
        assert found["Apprise 1 (mailto)"].found == "the mail server answers; it was given no login"
        refused = found["Apprise 2 (mailto)"]  # this one takes no passwords
        assert box.mails == []
        assert checks(apprise=(url.format(""),), send_test=True)["Apprise 1 (mailto)"].state is State.GOOD
    assert [str(mail["Subject"]) for mail in box.mails] == [TEST]
    assert refused.state is State.BAD
    assert SECRET not in f"{found}"


def test_the_doctor_names_each_receiver_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROWNOUT_PAGERDUTY_KEY", raising=False)
    port = free_port()
    away = f"127.0.0.1:{port}"
    with answering(refuse) as (url, asked):
        found = checks(
            alertmanager=url,
            apprise=(f"slak://{SECRET}/x", f"json://{away}/{SECRET}", url.replace("http", "json")),
            apprise_file="/missing/people",
            pagerduty=True,
        )
    assert [name for name, check in found.items() if check.state is State.BAD] == [
        "Alertmanager", "Apprise 1", "Apprise 2 (json)", "apprise_file", "PagerDuty",
    ]  # fmt: skip
    assert found["Apprise 3 (json)"].found.startswith("its server answers")
    assert found["PagerDuty"].do == "Set BROWNOUT_PAGERDUTY_KEY in the environment."
    assert asked == []  # GET is no message
    assert SECRET not in f"{found}"
    assert away not in found["Apprise 2 (json)"].found


def test_the_doctor_says_what_the_next_run_sends_to_whom(tmp_path: Path, write_dataset: Callable[..., Path]) -> None:
    folder = write_dataset({"a": [1.0]}, times=["2026-03-02T00:00"], entities=["kvm1"])
    sync_history(load_settings(dataset=folder), tmp_path, no_progress)
    with mailbox() as box:
        url = f"mailto://127.0.0.1:{box.port}?from=brownout@example.org&to=ops@example.org&mode=insecure"
        send(tonight("kvm1"), tmp_path)
        table = checks(tmp_path, apprise=(url,))["alerts that fire"].table
        assert [row[0] for row in table] == ["severity", "critical"]
        assert table[1][2] == "Apprise 1"
        send(tonight("kvm1"), tmp_path, apprise=(url,))
    told = checks(tmp_path, apprise=(url,))["alerts that fire"]
    assert (told.found, told.table[1][2]) == ("1, of which people were told of 1", "people were told")


def test_what_did_not_answer_may_have_arrived() -> None:
    with answering(silence) as (url, _):
        (channel,) = channels(AlertSettings(apprise=[url.replace("http", "json")], budget_s=0.5))
        with pytest.raises(AlertError) as caught:
            channel.send(NOTICE)
    assert caught.value.uncertain
