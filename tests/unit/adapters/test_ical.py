"""Events of a calendar file as windows: recurrences, exceptions, zones, and files that are none."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from brownout.adapters.ical import IcalEvents
from brownout.bootstrap import doctor_services, open_calendar
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import SettingsError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.operate.checks import State
from brownout.operate.doctor import examine
from brownout.settings import load_settings

ZONE = ZoneInfo("Europe/Zurich")
START, END = np.datetime64("2026-03-20", "ms"), np.datetime64("2026-04-12", "ms")
EVENTS = """BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Zurich:20260302T220000
DTEND;TZID=Europe/Zurich:20260303T013000
RRULE:FREQ=WEEKLY;BYDAY=MO
EXDATE;TZID=Europe/Zurich:20260330T220000
SUMMARY:patching
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Zurich:20260406T220000
DTSTART;TZID=Europe/Zurich:20260407T060000
DTEND;TZID=Europe/Zurich:20260407T070000
SUMMARY:patching, moved
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;VALUE=DATE:20260401
SUMMARY:move of the data centre
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART:20260402T100000
DURATION:PT1H
SUMMARY:a time without a zone
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART:20260403T100000Z
DTEND:20260403T120000Z
STATUS:CANCELLED
END:VEVENT
BEGIN:VTODO
UID:5
DTSTART:20260404T100000Z
DUE:20260404T120000Z
END:VTODO
"""
ONE = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def written(folder: Path, events: str = EVENTS) -> Path:
    path = folder / "changes.ics"
    path.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{events}END:VCALENDAR\n".replace("\n", "\r\n"))
    return path


def spans(path: Path, start: np.datetime64 = START, end: np.datetime64 = END) -> list[tuple[str, str]]:
    window = {"name": "changes", "ics": str(path), "timezone": "Europe/Zurich", "entities": ["kvm1"]}
    (found,) = open_calendar(load_settings(maintenance=[window])).windows
    return [(str(a)[:16], str(b)[:16]) for a, b in found.spans(start, end)]


def test_events_are_windows_with_their_exceptions_in_their_zone(tmp_path: Path) -> None:
    assert spans(written(tmp_path)) == [
        ("2026-03-23T21:00", "2026-03-24T00:30"),  # winter time
        ("2026-03-31T22:00", "2026-04-01T22:00"),  # a whole day of the zone; the occurrence before it is an exception
        ("2026-04-02T08:00", "2026-04-02T09:00"),
        ("2026-04-07T04:00", "2026-04-07T05:00"),  # moved, in summer time
    ]


def test_recurrences_are_those_of_a_loop_over_days(tmp_path: Path) -> None:
    rule = (
        "BEGIN:VEVENT\nUID:9\nDTSTART;TZID=Europe/Zurich:20260105T233000\nDURATION:PT2H\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TH\nEND:VEVENT\n"
    )
    expected = []
    for day in range(365):
        opens = datetime(2026, 1, 5, 23, 30, tzinfo=ZONE) + timedelta(days=day)
        if opens.weekday() in {0, 3}:
            utc = opens.astimezone(UTC)
            expected.append((f"{utc:%Y-%m-%dT%H:%M}", f"{utc + timedelta(hours=2):%Y-%m-%dT%H:%M}"))
    year = np.datetime64("2026-01-01", "ms"), np.datetime64("2027-01-05", "ms")
    assert spans(written(tmp_path, rule), *year) == expected


def test_a_span_is_whole_where_it_only_overlaps(tmp_path: Path) -> None:
    path = written(tmp_path)
    inside = np.datetime64("2026-03-23T22:00", "ms"), np.datetime64("2026-03-23T23:00", "ms")
    assert spans(path, *inside) == [("2026-03-23T21:00", "2026-03-24T00:30")]
    assert spans(path, np.datetime64("2026-03-24T00:30", "ms"), np.datetime64("2026-03-24T09:00", "ms")) == []
    # A whole day of the zone begins while it is still the day before in UTC.
    evening = np.datetime64("2026-03-31T22:30", "ms"), np.datetime64("2026-03-31T23:00", "ms")
    assert spans(path, *evening) == [("2026-03-31T22:00", "2026-04-01T22:00")]


def test_only_what_overlaps_is_listed(tmp_path: Path) -> None:
    events = IcalEvents.open(written(tmp_path), ZONE)
    assert not events.between(np.datetime64("2026-03-24T00:30", "ms"), np.datetime64("2026-03-25", "ms"))
    assert len(events.between(np.datetime64("2026-03-24T00:29", "ms"), np.datetime64("2026-03-25", "ms"))) == 1


def test_what_was_measured_in_an_event_counts_as_not_measured(tmp_path: Path) -> None:
    window = {"name": "changes", "ics": str(written(tmp_path)), "entities": ["kvm1"]}
    hosts = (Entity(id="kvm1"), Entity(id="kvm2"))
    start = np.datetime64("2026-03-23T20:00", "ms")
    panel = Panel(np.ones((2, 6, 1), np.float32), start, 3600, hosts, (Metric(name="m"),))
    left = open_calendar(load_settings(maintenance=[window])).without(panel, Topology.of(hosts)).values[..., 0]
    assert np.isnan(left).tolist() == [[False, True, True, True, True, False], [False] * 6]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert len(spans(path)) == 4
    changed = written(tmp_path, EVENTS[EVENTS.index("BEGIN:VEVENT\nUID:2") :])
    os.utime(changed, ns=(1, 1))
    assert len(spans(changed)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "",
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260402T100000Z\r\nEND:VEVENT\r\n",
        ONE.format("DTSTART;VALUE=DATE:2026040x"),
        ONE.format("DTSTART:20260402T100000Z\r\nRRULE:FREQ=SOMETIMES"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused_by_name_and_seen_by_the_doctor(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.ics"
    path.write_text(text)
    settings = load_settings(maintenance=[{"name": "changes", "ics": str(path)}])
    with pytest.raises(SettingsError, match=r"bad\.ics"):
        open_calendar(settings)
    checks = [check for check in examine(settings, doctor_services(), START) if check.about == "maintenance"]
    assert [check.state for check in checks] == [State.BAD]
    assert "bad.ics" in checks[0].found


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.ics"):
        spans(tmp_path / "nowhere.ics")


@pytest.mark.parametrize("more", [{"weekly": ["mon"]}, {"dates": ["2026-03-02"]}, {"from": "10:00"}])
def test_a_calendar_file_stands_alone(more: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="changes"):
        load_settings(maintenance=[{"name": "changes", "ics": "changes.ics", **more}])
