"""State file and feedback ledger: written by the one codec, read from the last release too, never a traceback."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import hours, night

from brownout.domain.encoding import decode_json, encode
from brownout.domain.errors import DataError
from brownout.domain.findings import Shape, Shift, SuppressionReason
from brownout.domain.forecasts import Series
from brownout.domain.verdicts import Said
from brownout.nightly.effects.alert_state_file import (
    StoredState,
    give_feedback,
    read_alert_state,
    take_back,
    write_alert_state,
)
from brownout.store.workspace import Workspace

STORED = Path(__file__).parents[2] / "data" / "state-0.1.0"


@pytest.fixture
def stored(tmp_path: Path) -> Workspace:
    """The folder of a demo that brownout 0.1.0 made, after three `brownout feedback`."""
    for name in ("episodes.json", "feedback.jsonl"):
        shutil.copy(STORED / name, tmp_path / name)
    return Workspace(tmp_path)


def test_a_state_file_of_the_last_release_is_read_whole(stored: Workspace) -> None:
    table = json.loads((STORED / "episodes.json").read_text())
    state = read_alert_state(stored)
    assert [e.id for e in state.known] == [item["id"] for item in (*table["episodes"], *table["quiet"])]
    assert [e.lead for e in state.known] == [item["lead"] for item in (*table["episodes"], *table["quiet"])]
    assert state.alarmed == {item["id"] for item in table["episodes"]}
    assert state.incidents["9c3d5e65e5bd"] == ("1373b66f9434", "6dd6b41e74e1")
    first = state.known[0]
    assert (first.start, first.end) == (np.datetime64("2026-03-14T06:05"), np.datetime64("2026-03-14T07:11"))
    assert first.severity == 1.6404283046722412
    assert np.isnan(first.movers[0].peak)


def test_what_was_said_to_the_last_release_still_counts_and_can_be_taken_back(stored: Workspace) -> None:
    said = {verdict.episode.id: verdict.said for verdict in read_alert_state(stored).verdicts}
    assert said == {"1373b66f9434": Said.FALSE, "6dd6b41e74e1": Said.FALSE, "78e00ada03dc": Said.EXPECTED}
    take_back(stored, "9c3d5e65e5bd", hours(30))
    give_feedback(stored, "78e00ada03dc", Said.TRUE, hours(31))
    after = {verdict.episode.id: verdict.said for verdict in read_alert_state(stored).verdicts}
    assert after == {"78e00ada03dc": Said.TRUE}


@pytest.mark.parametrize("name", ["suppressed", "quiet", "muted"])
def test_suppressed_episodes_are_read_under_every_name_that_their_list_had(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path)
    item = {"id": "a", "entity": "vm", "start": "2026-03-16T10:00:00.000", "end": "2026-03-16T11:00:00.000",
            "open": True, "severity": 1.5, "lead": ""}  # fmt: skip
    shift = {"entity": "vm", "metric": "m", "onset": "2026-03-16T08:00:00.000", "at": "2026-03-16T10:00:00.000",
             "usual": 1.0, "level": 2.5, "factor": True}  # fmt: skip
    reasons = {} if name == "muted" else {"why": "outlier", "reason": "one value", "because_of": "m"}
    workspace.episodes.write_text(json.dumps({"episodes": [], name: [item | reasons], "shifts": [shift]}))
    state = read_alert_state(workspace)
    assert [(e.id, e.open, e.movers) for e in state.known] == [("a", True, ())]
    assert state.alarmed == frozenset()
    assert state.shifts == (
        Shift(
            series=Series("vm", "m"),
            onset=np.datetime64("2026-03-16T08:00", "ms"),
            at=np.datetime64("2026-03-16T10:00", "ms"),
            usual=1.0,
            level=2.5,
            factor=True,
        ),
    )


def test_everything_of_an_episode_is_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    made = night()
    shared = replace(made.episodes[1], movers=(replace(made.episodes[1].movers[0], share=0.75),))
    quiet = replace(made.suppressed[1], episode=replace(shared, id="e4", open=False))
    made = replace(made, episodes=(made.episodes[0], shared), suppressed=(made.suppressed[0], quiet))
    write_alert_state(workspace, made)
    state = decode_json(StoredState, workspace.episodes.read_text())
    assert state.episodes == made.episodes
    assert state.shifts == made.shifts
    assert replace(state.suppressed[0].episode, movers=()) == replace(made.suppressed[0].episode, movers=())
    assert state.suppressed[1] == quiet
    assert [s.why for s in state.suppressed] == [SuppressionReason.ARTEFACT, SuppressionReason.FEEDBACK]
    assert state.incidents == {"d1": ("e1",), "d2": ("e2",)}
    assert encode(state) == workspace.episodes.read_text()


def test_numbers_are_kept_to_the_last_bit_and_shapes_by_name(tmp_path: Path) -> None:
    made = night()
    odd = replace(made.episodes[0], severity=1.6404283046722412, shape=Shape.FLAT, onset=hours(3), onset_slack_s=90.5)
    workspace = Workspace(tmp_path)
    write_alert_state(workspace, replace(made, episodes=(odd, *made.episodes[1:])))
    assert read_alert_state(workspace).known[0] == odd


@pytest.mark.parametrize(
    "text",
    ["[]", "null", '{"episodes":"x"}', '{"episodes":[{"id":"x"}]}', '{"version":2,"episodes":[{"id":"x"}]}', "{",
     "[" * 100_000, "", '{"version":2,"incidents":{"a":3}}', '{"version":2,"shifts":[3]}'],
)  # fmt: skip
def test_a_damaged_state_file_is_named_with_its_remedy(tmp_path: Path, text: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.episodes.write_text(text)
    with pytest.raises(DataError, match=r"episodes\.json cannot be read") as error:
        read_alert_state(workspace)
    assert "Remove it" in str(error.value.remedy)


@pytest.mark.parametrize(
    "line", [b'{"a":1}', b"\xff\xfe", b"[]", b'{"at":"2026-03-16T00:00","said":"bogus","episode":{}}',
     b"[" * 100_000, b'{"at":"2026-03-16T00:00","said":"true","episode":[]}', b"\x00"]
)  # fmt: skip
def test_a_damaged_ledger_is_named_with_its_remedy(tmp_path: Path, line: bytes) -> None:
    workspace = Workspace(tmp_path)
    workspace.ledger.write_bytes((STORED / "feedback.jsonl").read_bytes() + line + b"\n")
    with pytest.raises(DataError, match=r"Line \d+ of .*feedback\.jsonl cannot be read") as error:
        read_alert_state(workspace)
    assert error.value.remedy == "Remove that line."


def test_a_file_without_end_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    workspace.episodes.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="no file of at most"):
        read_alert_state(workspace)
    workspace.episodes.unlink()
    workspace.ledger.write_text("x" * 1000)
    monkeypatch.setattr("brownout.store.plain_json.read_bytes.__kwdefaults__", {"most": 999})
    with pytest.raises(DataError, match="no file of at most 999 bytes"):
        read_alert_state(workspace)


SAY = """
import sys
from pathlib import Path
import numpy as np
from brownout.domain.verdicts import Said
from brownout.nightly.effects.alert_state_file import give_feedback
from brownout.store.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for episode in sys.argv[2:]:
    give_feedback(workspace, episode, Said.FALSE, np.datetime64("2026-03-16", "ms"))
"""


def test_two_that_say_something_at_once_are_both_heard(tmp_path: Path) -> None:
    workspace, made = Workspace(tmp_path), night()
    episodes = [replace(made.episodes[0], id=f"e{number}") for number in range(60)]
    write_alert_state(workspace, replace(made, episodes=tuple(episodes), suppressed=()))
    names = [episode.id for episode in episodes]
    speakers = [
        subprocess.Popen(
            [sys.executable, "-c", SAY, tmp_path, *own], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for own in (names[::2], names[1::2])
    ]
    for speaker in speakers:
        assert speaker.stdout is not None
        assert speaker.stdout.readline() == "ready\n"
    for speaker in speakers:
        assert speaker.stdin is not None
        speaker.stdin.write("go\n")
        speaker.stdin.flush()
    for speaker in speakers:
        speaker.communicate()
        assert speaker.returncode == 0
    assert {verdict.episode.id for verdict in read_alert_state(workspace).verdicts} == set(names)
