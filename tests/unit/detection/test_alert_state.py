"""What is remembered: open episodes go on under their name; verdicts move the bar of like episodes, and back."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from nights import night

from brownout.detection.alert_state import AlertState, with_known_ids
from brownout.domain.errors import DataError, SettingsError
from brownout.domain.findings import Cause, Diagnosis, Episode, Mover, SuppressionReason
from brownout.domain.forecasts import Series
from brownout.domain.verdicts import Said, Verdict
from brownout.nightly.effects.alert_state_file import give_feedback, read_alert_state, take_back, write_alert_state
from brownout.store.atomic import write_text
from brownout.store.workspace import Workspace

START = np.datetime64("2026-03-16T10:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")


def episode(  # noqa: PLR0913 - what tests vary
    name: str,
    begin: float = 0,
    length: float = 1,
    *,
    severity: float = 1.5,
    metric: str = "cpu",
    going_on: bool = False,
) -> Episode:
    start = START + np.timedelta64(round(begin * 3_600_000), "ms")
    mover = Mover(series=Series("vm", metric), usual=1, peak=9, deviation=8, onset=start)
    end = start + np.timedelta64(round(length * 3_600_000), "ms")
    return Episode(id=name, entity="vm", start=start, end=end, open=going_on, severity=severity, movers=(mover,))


def said(what: Said, about: Episode) -> Verdict:
    return Verdict(episode=about, said=what, at=START)


def kept(name: str, incident: str = "", entity: str = "vm") -> dict[str, object]:
    """An episode as the file of a night holds it."""
    times = {"start": str(START), "end": str(START + HOUR)}
    return {"id": name, "entity": entity, "open": False, "severity": 1.5, "lead": "cpu", "incident": incident} | times


def test_an_open_episode_goes_on_the_next_night_under_its_id_and_start() -> None:
    memory = AlertState(known=(episode("a", 0, 2, going_on=True),))
    found = memory.settle([episode("b", 2.25, 3)]).episodes
    assert (found[0].id, found[0].start) == ("a", START)


def test_a_closed_one_does_not_swallow_what_comes_after_it() -> None:
    memory = AlertState(known=(episode("a", 0, 2),))
    assert memory.settle([episode("b", 2.25, 3)]).episodes[0].id == "b"


def test_an_episode_that_fell_apart_keeps_its_id_once() -> None:
    memory = AlertState(known=(episode("a", 0, 8),))
    assert [e.id for e in memory.settle([episode("b", 0, 2), episode("c", 4, 2)]).episodes] == ["a", "c"]


@pytest.mark.parametrize(("severity", "shown"), [(1.6, False), (1.8, True)])
def test_like_ones_of_a_false_alarm_must_be_more_severe(severity: float, shown: bool) -> None:  # noqa: FBT001
    memory = AlertState(verdicts=(said(Said.FALSE, episode("a")),))
    settled = memory.settle([episode("b", 48, severity=severity)])
    assert bool(settled.episodes) is shown
    assert [(quiet.because, quiet.why) for quiet in settled.suppressed] == (
        [] if shown else [("a", SuppressionReason.FEEDBACK)]
    )
    assert all("must reach a severity of 1.7" in quiet.reason for quiet in settled.suppressed)


def test_another_metric_is_another_kind() -> None:
    memory = AlertState(verdicts=(said(Said.FALSE, episode("a")),))
    assert memory.settle([episode("b", 48, metric="memory")]).episodes


def test_a_true_one_lifts_the_bar_again() -> None:
    memory = AlertState(verdicts=(said(Said.FALSE, episode("a")), said(Said.TRUE, episode("c", 24, severity=1.4))))
    assert memory.settle([episode("b", 48)]).episodes


def test_expected_ones_are_muted_at_their_time_of_day_only() -> None:
    memory = AlertState(verdicts=(said(Said.EXPECTED, episode("a")),))
    assert not memory.settle([episode("b", 24 * 7 + 1, severity=9)]).episodes
    assert memory.settle([episode("b", 24 * 7 + 5, severity=9)]).episodes


def test_feedback_is_kept_and_can_be_taken_back(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_text(workspace.episodes, json.dumps({"episodes": [kept("a")], "muted": []}))
    give_feedback(workspace, "a", Said.FALSE, START)
    assert not read_alert_state(workspace).settle([episode("b", 48)]).episodes
    take_back(workspace, "a", START)
    assert read_alert_state(workspace).settle([episode("b", 48)]).episodes
    assert len(workspace.ledger.read_text().splitlines()) == 2
    with pytest.raises(DataError, match="Nothing has been said"):
        take_back(workspace, "a", START)


def test_feedback_on_an_incident_is_feedback_on_all_its_episodes_and_counts_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    members = [kept("a", "i"), kept("b", "i", "other"), kept("c", "j")]
    write_text(workspace.episodes, json.dumps({"episodes": members, "suppressed": []}))
    assert [e.id for e in give_feedback(workspace, "i", Said.FALSE, START)] == ["a", "b"]
    give_feedback(workspace, "i", Said.FALSE, START + HOUR)
    assert len(workspace.ledger.read_text().splitlines()) == 2
    give_feedback(workspace, "a", Said.TRUE, START + HOUR)
    assert {v.episode.id: v.said for v in read_alert_state(workspace).verdicts} == {"a": Said.TRUE, "b": Said.FALSE}
    assert [e.id for e in take_back(workspace, "i", START)] == ["b", "a"]
    assert read_alert_state(workspace).verdicts == ()


def test_a_night_is_kept_with_its_incidents_and_with_why_some_episodes_are_quiet(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_alert_state(workspace, night())
    memory = read_alert_state(workspace)
    after = AlertState.after(night())
    assert (memory.incidents, memory.alarmed, memory.shifts) == (after.incidents, after.alarmed, after.shifts)
    assert [e.id for e in memory.known] == [e.id for e in after.known]
    assert memory.incidents == {"d1": ("e1",), "d2": ("e2",)}
    assert [(e.id, e.lead) for e in memory.known] == [
        ("e2", ""),
        ("e1", "console_update_ms"),
        ("e3", ""),
        ("e4", "console_update_ms"),
    ]


def test_an_episode_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No episode or incident 'x'"):
        give_feedback(Workspace(tmp_path), "x", Said.TRUE, START)


def test_the_command_says_lists_and_takes_back(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from brownout.cli import app

    write_text(Workspace(tmp_path).episodes, json.dumps({"episodes": [kept("a")], "suppressed": []}))
    run = partial(CliRunner().invoke, app)
    assert run(["feedback", "a", "--out", str(tmp_path), "--false"]).output.split("\t")[2:] == ["cpu", "false\n"]
    assert json.loads(run(["feedback", "--list", "--json", "--out", str(tmp_path)]).output)[0]["said"] == "false"
    assert run(["feedback", "a", "--out", str(tmp_path), "--undo"]).exit_code == 0
    assert json.loads(run(["feedback", "--list", "--json", "--out", str(tmp_path)]).output) == []
    for wrong in (["a"], ["a", "--true", "--false"], ["a", "--list"], []):
        assert isinstance(run(["feedback", *wrong, "--out", str(tmp_path)]).exception, SettingsError)


def incident(name: str, *episodes: str) -> Diagnosis:
    cause = Cause(id="unknown", title="", family="unknown", entity="", probability=1.0)
    time = np.datetime64("2026-03-16T00:00", "ms")
    return Diagnosis(id=name, start=time, end=time, open=False, entities=("vm",), episodes=episodes, causes=(cause,))


def test_an_incident_keeps_its_id_and_no_other_one_gets_it() -> None:
    known = {"old": ("a", "b")}
    assert [d.id for d in with_known_ids([incident("new", "c", "a", "b")], known)] == ["old"]
    split = with_known_ids([incident("x", "b"), incident("y", "a", "b", "c"), incident("z", "d")], known)
    assert [d.id for d in split] == ["x", "old", "z"]
    (taken,) = with_known_ids([incident("old", "d")], known)
    assert taken.id != "old"
