"""The wheel: installed into an empty environment, run from another folder, away from any clone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_definitions_flows_templates_and_the_lock(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for name in (
        "brownout/definitions/catalogue.toml",
        "brownout/definitions/knowledge/causes.toml",
        "brownout_pipelines/nightly.py",
        "brownout/reporting/assets/index.html.j2",
        "brownout/reporting/assets/uPlot.iife.min.js",
        "brownout/constraints.txt",
        "brownout/py.typed",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests", "docs", "notebooks"))]


@pytest.mark.timeout(1200)
def test_installed_from_the_wheel_the_demo_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run(
        [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--constraint", ROOT / "constraints.txt", wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [venv / "bin" / "brownout", "demo", "--out", "d"],
        cwd=elsewhere, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((elsewhere / "d" / "report" / "report.json").read_text())["incidents"]
