"""The deployment of prefect.yaml on a real Prefect server, run by a real process worker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import free_port, served

ROOT = Path(__file__).parents[2]
NAB = ROOT / "tests" / "data" / "nab-aws"
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder, port = tmp_path_factory.mktemp("prefect"), free_port()
    settings = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PATH": f"{PREFECT.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with served(command, f"http://127.0.0.1:{port}/api/health", folder / "log", environment=settings):
        yield settings


def prefect(environment: dict[str, str], *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [PREFECT, "--no-prompt", *arguments],
        env={**os.environ, **environment, "PWD": str(cwd)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_worker_runs_the_deployed_night(environment: dict[str, str], tmp_path: Path) -> None:
    for name in ("prefect.yaml", "pipelines"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "brownout.toml").write_text(f'dataset = "{NAB}"\n\n[forecast]\ntrain_steps = 20\n')
    prefect(environment, "work-pool", "create", "--type", "process", "brownout", cwd=tmp_path)
    prefect(environment, "deploy", "--name", "nightly", cwd=tmp_path)
    prefect(environment, "deployment", "run", "brownout-nightly/nightly", cwd=tmp_path)
    prefect(environment, "worker", "start", "--pool", "brownout", "--run-once", cwd=tmp_path)
    report = json.loads((tmp_path / "nightly" / "report" / "report.json").read_text())
    assert report["series"] > 0
    schedule = prefect(environment, "deployment", "inspect", "brownout-nightly/nightly", cwd=tmp_path)
    assert "15 2 * * *" in schedule
