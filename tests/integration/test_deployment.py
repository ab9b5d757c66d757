"""The deployments of prefect.yaml on a real Prefect server, by the commands of the docs, run by a real worker."""

import json
import os
import re
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


def documented(*, containing: str) -> list[list[str]]:
    """Commands of the docs' shell blocks that hold some words, as a reader types them."""
    blocks = re.findall(r"```shell\n(.*?)```", (ROOT / "docs" / "prefect.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if containing in line]
    return [line.removeprefix("prefect ").split() for line in lines]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has, with a small data set in its settings."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("prefect.yaml", "pipelines", "examples"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "examples" / "brownout.toml").write_text(f'dataset = "{NAB}"\n\n[forecast]\ntrain_steps = 20\n')
    return folder


def test_the_documented_commands_deploy_and_run_everything(environment: dict[str, str], clone: Path) -> None:
    (pool,), (deploy,) = documented(containing="work-pool create"), documented(containing="deploy --all")
    prefect(environment, *pool, cwd=clone)
    prefect(environment, *deploy, cwd=clone)
    runs = documented(containing="deployment run")
    assert [run[2] for run in runs] == [
        "brownout-nightly/nightly",
        "brownout-retrain/retrain",
        "brownout-watch/watch",
        "brownout-monthly/monthly",
    ]
    for run in runs[:-1]:
        prefect(environment, *run, cwd=clone)
        prefect(environment, "worker", "start", "--pool", "brownout", "--run-once", cwd=clone)
    report = json.loads((clone / "nightly" / "report" / "report.json").read_text())
    assert report["series"] > 0
    assert len(list((clone / "nightly" / "archive").iterdir())) == 1  # the same night, whoever made it
    month = next((clone / "nightly" / "archive").iterdir()).name[:7]
    prefect(environment, *runs[-1][:-1], f"month={month}", cwd=clone)
    prefect(environment, "worker", "start", "--pool", "brownout", "--run-once", cwd=clone)
    assert (clone / "nightly" / "monthly" / f"{month}.md").read_text().startswith(f"# {month}\n\n1 nights")
    states = json.loads(prefect(environment, "flow-run", "ls", "--output", "json", cwd=clone))
    # Those of the schedule may come in between, as every five minutes.
    ended = [run["state"]["type"] for run in states if not run["auto_scheduled"]]
    assert ended == ["COMPLETED"] * len(runs)
    for name, cron in (("nightly", "15 2 * * *"), ("watch", "*/5 * * * *")):
        said = prefect(environment, "deployment", "inspect", f"brownout-{name}/{name}", cwd=clone)
        assert cron in said
