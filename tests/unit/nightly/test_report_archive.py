"""The archive's index: what a portal reads."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import night

from brownout.nightly.effects.report_archive import archive_name, write_night_report
from brownout.store.workspace import Workspace

DAY = np.timedelta64(86_400_000, "ms")


def index(workspace: Workspace) -> list[dict[str, object]]:
    return list(json.loads((workspace.archive / "index.json").read_text())["nights"])


def test_it_lists_each_night_newest_first_with_what_its_report_says(tmp_path: Path) -> None:
    workspace, first = Workspace(tmp_path), night()
    second = replace(first, end=first.end + DAY, start=first.start + DAY)
    for one in (first, second):
        write_night_report(one, workspace, keep_days=90)
    listed = index(workspace)
    assert [entry["night"] for entry in listed] == [archive_name(second.end), archive_name(first.end)]
    for entry in listed:
        document = json.loads((workspace.archive / str(entry["report"])).read_text())
        assert entry["headline"] == document["summary"]["headline"]
        assert entry["incidents_open"] == document["summary"]["incidents_open"]
        assert entry["end"] == document["window"]["end"]


def test_an_older_night_that_runs_again_is_listed_as_it_is_now(tmp_path: Path) -> None:
    workspace, first = Workspace(tmp_path), night()
    later = replace(first, end=first.end + DAY, start=first.start + DAY)
    for one in (first, later, replace(first, diagnoses=(), episodes=())):
        write_night_report(one, workspace, keep_days=90)
    newest, older = index(workspace)
    assert newest["incidents_open"] == 1
    assert older["incidents_open"] == 0


def test_what_is_pruned_leaves_it(tmp_path: Path) -> None:
    workspace, first = Workspace(tmp_path), night()
    write_night_report(first, workspace, keep_days=2)
    write_night_report(replace(first, end=first.end + 5 * DAY, start=first.start + 5 * DAY), workspace, keep_days=2)
    assert [entry["night"] for entry in index(workspace)] == [archive_name(first.end + 5 * DAY)]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"nights": [1]}', '{"nights": [{"night": 5}]}', "\x00"])
def test_a_damaged_index_is_made_anew_and_a_damaged_night_is_named(tmp_path: Path, text: str) -> None:
    workspace, first = Workspace(tmp_path), night()
    write_night_report(first, workspace, keep_days=90)
    (workspace.archive / "index.json").write_text(text)
    (workspace.archive / archive_name(first.end) / "report.json").write_text("{")
    write_night_report(replace(first, end=first.end + DAY, start=first.start + DAY), workspace, keep_days=90)
    newest, damaged = index(workspace)
    assert newest["headline"]
    assert damaged == {
        "night": archive_name(first.end),
        "report": f"{archive_name(first.end)}/report.json",
        "error": "report.json is damaged",
    }
