"""What-if and place on a small fleet: told in names, written as documented, and nothing changed on disk."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import invoke

from brownout.domain.encoding import encode
from brownout.domain.findings.past_scores import DoneAction

DOCS = Path(__file__).parents[3] / "docs" / "plan.md"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    size = ["--hosts", "2", "--vms", "6", "--days", "6", "--interval", "1800", "--seed", "5"]
    invoke("simulate", folder / "fleet", *size)
    invoke("sync", "--dataset", folder / "fleet", "--out", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def trained(out: Path, quick_training: None) -> Path:
    del quick_training
    config = out.parent / "c.toml"
    config.write_text("[forecast]\ntrain_steps = 4\nstep_minutes = 60\nsteps = 24\ncontext_days = 2\n")
    copy = out.parent / "trained"
    shutil.copytree(out, copy)
    invoke("train", "--config", config, "--out", copy)
    return copy


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def documented(section: str) -> set[str]:
    """Names in the first column of the table below a schema's name in the documentation."""
    text = DOCS.read_text(encoding="utf-8").split(section)[1].split("\n\n")[1]
    return set(re.findall(r"`(\w+)(?:\[\])?`", "".join(row.split("|")[1] for row in text.splitlines()[2:])))


def test_what_if_says_what_changes_in_words_and_json_and_writes_nothing(out: Path) -> None:
    before = digest(out)
    text = invoke("what-if", "--out", out, "--move", "vm001:kvm02", "--resize", "vm002:memory=8G").stdout
    assert "vm001 is on kvm02 instead of kvm01" in text
    assert "other guests on kvm01" in text
    assert "console_update_ms" not in text
    done = invoke("what-if", "--out", out, "--move", "vm001:kvm02", "--json").stdout
    answer = json.loads(done)
    assert set(answer) - {"$schema"} == documented("urn:brownout:what-if:1")
    for change in answer["consoles"]:
        for level in ("p50", "p95"):
            assert change[level]["low"] <= change[level]["after"] <= change[level]["high"]
    assert any("no dates" in warning for warning in answer["warnings"])  # nothing was trained
    assert digest(out) == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "No change"),
        (["--move", "vm009:kvm02"], "vm009"),
        (["--move", "vm001:kvm07"], "kvm07"),
        (["--resize", "vm001:memory=4096G"], "4096 GiB"),
    ],
)
def test_what_if_refuses_what_cannot_be(out: Path, options: list[str], says: str) -> None:
    done = invoke("what-if", "--out", out, *options, expect=2)
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_place_needs_a_forecaster(tmp_path: Path, out: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "history").symlink_to(out / "history")
    done = invoke("place", "--out", tmp_path / "o", "--vcpus", "1", "--memory", "1", expect=1)
    assert "brownout train" in " ".join(done.stderr.split())


def test_place_says_where_or_why_nowhere(trained: Path) -> None:
    before = digest(trained)
    answer = json.loads(invoke("place", "--out", trained, "--vcpus", "1", "--memory", "0.5", "--json").stdout)
    assert set(answer) - {"$schema"} == documented("urn:brownout:placement:1")
    assert {room["host"] for room in answer["hosts"]} == {"kvm01", "kvm02"}
    assert (answer["host"] is None) == (not any(room["fits"] for room in answer["hosts"]))
    text = invoke("place", "--out", trained, "--vcpus", "64", "--memory", "4096").stdout
    assert "fits on no host" in text
    assert text.count("no, ") == 2
    assert digest(trained) == before


def test_what_if_dates_come_from_the_stored_forecaster(trained: Path) -> None:
    answer = json.loads(invoke("what-if", "--out", trained, "--move", "vm001:kvm02", "--json").stdout)
    assert not any("no dates" in warning for warning in answer["warnings"])


def test_actions_are_logged_and_scored_from_the_command_line(tmp_path: Path, out: Path) -> None:
    copy = tmp_path / "o"
    shutil.copytree(out, copy)
    invoke("actions", "log", "--out", copy, expect=2)  # nothing is named
    done = invoke("actions", "log", "a-1", "--out", copy, expect=1)  # no report was made
    assert "report.json" in " ".join(done.stderr.split())
    assert "No action was logged" in invoke("actions", "score", "--out", copy).stdout
    assert json.loads(invoke("actions", "score", "--out", copy, "--json").stdout)["advice"] == []
    after = np.datetime64("2099-01-01T00:00", "ms")
    done_later = DoneAction(at=after, night="n", link="a-1", entity="vm001", title="t", note="")
    (copy / "actions.jsonl").write_text(encode(done_later, indent=None) + "\n")
    later = invoke("actions", "score", "--out", copy)
    assert "1 logged after the data end" in " ".join(later.stderr.split())
