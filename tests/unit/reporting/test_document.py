"""report.json: its contract is pinned, it reads back, and a new field of a result needs one edit."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from nights import HOSTILE, driven, hours, night

import brownout
from brownout.domain.errors import DataError
from brownout.domain.findings import Shape
from brownout.domain.night import Night
from brownout.reporting import SCHEMA_ID, load_night, render, report_json, report_of, report_schema

GOLDEN = Path(__file__).parents[2] / "golden" / "report.schema.json"
RENEW = "BROWNOUT_RENEW_GOLDEN"


def written(made: Night) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(report_json(report_of(made)))
    return document


def test_the_contract_of_report_json_is_the_one_that_was_reviewed() -> None:
    """After a deliberate change: ``BROWNOUT_RENEW_GOLDEN=1 pytest tests/unit/reporting/test_document.py``."""
    schema = json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get(RENEW):
        GOLDEN.write_text(schema)
    assert schema == GOLDEN.read_text(), f"set {RENEW}=1 to renew the contract, and review its diff"


@pytest.mark.parametrize("name", ["vm1", HOSTILE])
def test_a_report_keeps_to_its_contract(name: str) -> None:
    schema = json.loads(GOLDEN.read_text())
    document = written(driven(night(name)))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert document["$schema"] == schema["$id"] == SCHEMA_ID
    assert set(document) == set(schema["properties"])


def test_a_document_of_another_shape_is_refused_by_the_contract() -> None:
    document = written(night())
    document["breaches"][0]["probability"] = "high"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(GOLDEN.read_text()))


def test_every_field_of_the_contract_is_described() -> None:
    schema = report_schema()
    parts = {"Report": schema, **schema["$defs"]}
    bare = [(part, name) for part, body in parts.items() for name, field in body.get("properties", {}).items()
            if not field.get("description")]  # fmt: skip
    assert bare == []
    assert [part for part, body in parts.items() if not body.get("description")] == []


def test_json_has_no_number_that_json_does_not_know() -> None:
    text = report_json(report_of(driven(night())))
    json.loads(text, parse_constant=pytest.fail)


def test_what_is_about_a_metric_carries_its_title_and_unit() -> None:
    document = written(driven(night()))
    incident = document["incidents"][0]
    labelled = [*document["breaches"], *document["breaches"][2]["drivers"], *document["chronic"], *document["shifts"],
                document["latency"], incident["first"], *incident["charts"]]  # fmt: skip
    metrics = document["metrics"]
    assert len(labelled) == 10  # of two drivers the one at the place that the open incident blames
    for part in labelled:
        assert (part["title"], part["unit"]) == (metrics[part["metric"]]["title"], metrics[part["metric"]]["unit"])


@pytest.mark.parametrize("name", ["vm1", HOSTILE])
def test_a_stored_report_is_rendered_again_to_the_last_byte(tmp_path: Path, name: str) -> None:
    made = driven(night(name))
    odd = replace(made.episodes[1], severity=1.23456789, shape=Shape.RAMP, onset=hours(19.5), onset_slack_s=59.4)
    render(replace(made, episodes=(made.episodes[0], odd)), tmp_path / "first")
    again = load_night(tmp_path / "first" / "report.json")
    render(again, tmp_path / "second")
    for file in ("report.json", "report.md", "index.html"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file


def test_what_is_read_back_has_the_types_of_a_night(tmp_path: Path) -> None:
    made = driven(night())
    render(made, tmp_path)
    again = load_night(tmp_path / "report.json")
    assert again.topology.descendants("kvm1") == made.topology.descendants("kvm1")
    assert again.metrics == made.metrics
    assert again.end == made.end
    assert again.breaches[0].likely == made.breaches[0].likely
    assert np.isnan(again.breaches[1].now)
    assert [a.about for a in again.actions] == [a.about for a in made.actions]
    assert list(again.charts) == list(made.charts)
    chart, back = next(iter(made.forecasts.values())), next(iter(again.forecasts.values()))
    assert back.values.dtype == np.float32
    np.testing.assert_allclose(back.values, chart.values, rtol=1e-3)
    np.testing.assert_array_equal(back.future, chart.future)
    assert again.quality.repairs.counts == made.quality.repairs.counts
    assert again.diagnoses[0].entities == made.diagnoses[0].entities


@pytest.mark.parametrize(
    ("text", "what"),
    [("{", "cannot be read"), ("[]", "schema_version None"), ('{"format": 1}', "schema_version None"),
     ('{"schema_version": 9}', "schema_version 9"), ('{"schema_version": 2}', "of a Night cannot be read")],
)  # fmt: skip
def test_what_is_no_report_of_this_version_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(DataError, match=what):
        load_night(path)


@pytest.mark.parametrize(
    "change",
    [
        {"incidents": 5}, {"incidents": [{}]}, {"window": [1]}, {"actions": {"x": 1}}, {"latency": {"metric": "cpu"}},
        {"histories": {"end": 10**400}}, {"breaches": [{"metric": "cpu_pct"}]},
    ],
)  # fmt: skip
def test_a_damaged_report_is_told_by_name(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(written(night()) | change))
    with pytest.raises(DataError):
        load_night(path)


def test_a_report_that_cannot_be_finished_leaves_the_last_one_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(night(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full_disk(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        render(driven(night()), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


ONE_EDIT = '    urgency: str = "high"\n'
SHOW = """
import json, tempfile
from pathlib import Path
from nights import night
from brownout.domain.encoding import encode
from brownout.nightly.effects.alert_state_file import read_alert_state, write_alert_state
from brownout.store.workspace import Workspace
from brownout.reporting import load_night, render, report_schema
with tempfile.TemporaryDirectory() as folder:
    workspace = Workspace(Path(folder))
    made = night()
    write_alert_state(workspace, made)
    render(made, workspace.report)
    report = json.loads((workspace.report / "report.json").read_text())
    print(json.dumps({
        "report": [episode["urgency"] for episode in report["episodes"]],
        "suppressed": [part["episode"]["urgency"] for part in report["suppressed"]],
        "read back": load_night(workspace.report / "report.json").episodes[0].urgency,
        "state": [episode["urgency"] for episode in json.loads(workspace.episodes.read_text())["episodes"]],
        "remembered": read_alert_state(workspace).known[0].urgency,
        "schema": report_schema()["$defs"]["Episode"]["properties"]["urgency"]["type"],
    }))
"""


def test_a_new_field_of_an_episode_is_one_edit(tmp_path: Path) -> None:
    """A line added to the dataclass in a copy of the package is in the report, the state file and the schema."""
    package = Path(brownout.__file__).parent
    shutil.copytree(package, tmp_path / "brownout", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package.parents[1] / "models", tmp_path / "brownout" / "definitions")
    findings = tmp_path / "brownout" / "domain" / "findings" / "anomalies.py"
    last = "    shifts: tuple[Shift, ...] = ()\n"
    assert findings.read_text().count(last) == 1
    findings.write_text(findings.read_text().replace(last, last + ONE_EDIT))
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "report": ["high", "high"],
        "suppressed": ["high", "high"],
        "read back": "high",
        "state": ["high", "high"],
        "remembered": "high",
        "schema": "string",
    }
