"""``brownout report``: nights of the archive again, and whether a file is a report.json."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import hours, night
from typer.testing import CliRunner

from brownout.cli import app
from brownout.domain.errors import HistoryError, SettingsError
from brownout.domain.night import Night
from brownout.nightly.effects.report_archive import archived_nights, rerender, write_night_report
from brownout.store.workspace import Workspace

FILES = ("index.html", "report.md", "report.json")


def at(made: Night, end: np.datetime64) -> Night:
    return replace(made, end=end, created=end)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two nights: the first had another incident going on."""
    out = Workspace(tmp_path)
    made = night()
    first = replace(made, diagnoses=(replace(made.diagnoses[0], id="d0"), made.diagnoses[1]))
    write_night_report(at(first, hours(24)), out, keep_days=400)
    write_night_report(at(made, hours(48)), out, keep_days=400)
    return out


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_last_night_is_written_again_to_the_last_byte(workspace: Workspace) -> None:
    before = {name: (workspace.report / name).read_bytes() for name in FILES}
    for name in FILES:
        (workspace.report / name).unlink()
    code, said = run("--out", workspace.out)
    assert (code, said.strip()) == (0, str(workspace.report / "index.html"))
    assert {name: (workspace.report / name).read_bytes() for name in FILES} == before


def test_the_second_report_says_what_changed(workspace: Workspace) -> None:
    document = json.loads((workspace.report / "report.json").read_text())
    assert document["changes"]["since"] == "2026-03-17T00:00:00Z"
    assert document["changes"]["began"] == ["d1"]
    assert [one["id"] for one in document["changes"]["ended"]] == ["d0"]


def test_an_earlier_night_is_written_beside_its_record_which_stays(workspace: Workspace) -> None:
    kept = workspace.archive / "2026-03-17T0000Z"
    record = (kept / "report.json").read_bytes()
    latest = (workspace.report / "index.html").read_bytes()
    code, said = run("--out", workspace.out, "--night", "2026-03-17", "--language", "zh")
    assert (code, said.strip()) == (0, str(kept / "index.html"))
    assert '<html lang="zh-Hans">' in (kept / "index.html").read_text()
    assert (kept / "report.json").read_bytes() == record
    assert (workspace.report / "index.html").read_bytes() == latest


def test_nights_are_listed(workspace: Workspace) -> None:
    assert run("--out", workspace.out, "--list")[1].split() == ["2026-03-17T0000Z", "2026-03-18T0000Z"]
    assert archived_nights(Workspace(workspace.out / "nowhere")) == ()


@pytest.mark.parametrize("name", ["2026-03", "2025", ""])
def test_a_name_that_fits_no_night_or_several_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(HistoryError, match="nights of"):
        rerender(workspace, name, "en")


def test_a_damaged_night_before_is_passed_over(workspace: Workspace) -> None:
    (workspace.archive / "2026-03-18T0000Z" / "report.json").write_text("{")
    write_night_report(at(night(), hours(72)), workspace, keep_days=400)
    assert json.loads((workspace.report / "report.json").read_text())["changes"] is None


def test_a_report_is_checked_against_the_schema(workspace: Workspace, tmp_path: Path) -> None:
    good = workspace.report / "report.json"
    assert run("--check", good) == (0, "")
    document = json.loads(good.read_text())
    earlier = tmp_path / "earlier.json"  # as the release before wrote it: keys come within a version, none goes
    del document["roadmap"]
    earlier.write_text(json.dumps(document))
    assert run("--check", earlier) == (0, "")
    document["incidents"][0]["causes"][0]["probability"] = "high"
    del document["window"]["end"]
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(document))
    code, said = run("--check", bad)
    assert code == 1
    assert "$.incidents[0].causes[0].probability: 'high' is not valid" in said
    assert "$.window: 'end' is a required property" in said
    bad.write_text("[]")
    assert run("--check", bad)[0] == 1


def test_the_schema_is_printed_with_a_description_of_every_field() -> None:
    schema = json.loads(run("--schema")[1])
    assert schema["$id"] == "urn:brownout:report:3"
    parts = [schema, *schema["$defs"].values()]
    bare = [field for part in parts for field, body in part.get("properties", {}).items() if "description" not in body]
    assert bare == []


def test_one_thing_at_a_time(workspace: Workspace) -> None:
    for arguments in ([], ["--schema", "--out", str(workspace.out)]):
        with pytest.raises(SettingsError):
            run(*arguments)
