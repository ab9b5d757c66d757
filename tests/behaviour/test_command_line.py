"""The command line as a newcomer and as a script meets it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import brownout, invoke

NAB = Path(__file__).parents[1] / "data" / "nab-aws"
README = Path(__file__).parents[2] / "README.md"


def test_help_names_every_command_and_is_quick_to_import() -> None:
    text = brownout("--help").stdout
    for command in ("demo", "nightly", "sync", "train", "watch", "simulate", "evaluate"):
        assert command in text
    script = (
        "import brownout.cli, sys; print([m for m in ('torch', 'prefect', 'mlflow', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sync_does_without_the_libraries_of_the_models() -> None:
    """They take 300 MB, on machines that only gather."""
    script = (
        "import brownout.operate.sync, brownout.adapters.influx.connect, brownout.bootstrap, sys; "
        "print([m for m in ('torch', 'prefect', 'mlflow', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version() -> None:
    assert re.fullmatch(r"brownout \d+\.\d+\.\d+\n", invoke("--version").stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nightly", "--out", "x"], 2, "--dataset"),
        (["nightly", "--dataset", "/nowhere", "--out", "x"], 2, "does not exist"),
        (["frobnicate"], 2, "No such command"),
        (["train", "--out", "{tmp}"], 1, "brownout sync"),
        (["watch", "--out", "{tmp}"], 1, "brownout sync"),
        (["simulate", "{tmp}/f", "--only-causes", "NOPE", "--faults", "1"], 2, "NOPE"),
        (["evaluate", "diagnose", str(NAB), "--out", "{tmp}"], 1, "incidents"),
        (["evaluate", "forecast", str(NAB), "--out", "{tmp}", "--model", "{tmp}/none"], 1, "no model"),
    ],
)
def test_bad_usage_is_2_failure_is_1_and_both_say_what_to_do(
    arguments: list[str], code: int, says: str, tmp_path: Path
) -> None:
    done = invoke(*(a.replace("{tmp}", str(tmp_path)) for a in arguments), expect=code)
    assert done.stdout == ""
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'dataset = "{NAB}"\npassword = "hunter2"\n')
    done = invoke("sync", "--config", config, "--out", tmp_path / "o", expect=2)
    assert "password" in done.stderr
    assert "hunter2" not in done.stderr


def test_sync_speaks_json_to_scripts_and_talks_on_stderr(tmp_path: Path) -> None:
    done = invoke("sync", "--dataset", NAB, "--out", tmp_path, "--json")
    assert json.loads(done.stdout)["rows"] > 0


def test_simulate_and_judge_it(tmp_path: Path) -> None:
    size = ["--hosts", "1", "--vms", "3", "--days", "6", "--interval", "600", "--faults", "3"]
    invoke("simulate", tmp_path / "f", *size, "--exclude-causes", "LEAK-01, MAINT-04")
    scores = json.loads(invoke("evaluate", "diagnose", tmp_path / "f", "--out", tmp_path / "d").stdout)
    assert scores["scores"]["incidents"] == 3
    ranking = pq.read_table(tmp_path / "d" / "ranking.parquet")
    assert ranking.column_names == ["incident", "rank", "entity", "cause", "probability"]
    first = ranking.filter(ranking["rank"].to_numpy() == 1)
    assert first.num_rows == 3
    invoke("evaluate", "detect", tmp_path / "f", "--out", tmp_path / "e")
    table = pq.read_table(tmp_path / "e" / "scores.parquet")
    assert table.column_names == ["entity", "time", "score", "alarm"]
    assert table["score"].null_count == 0


def test_a_wrong_path_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = brownout("sync", "--dataset", NAB, "--out", tmp_path / "file" / "below", expect=1)
    assert "Traceback" not in done.stderr
    assert "do:" in done.stderr


def test_where_nothing_more_can_be_written_nothing_is_half_written(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the write fails, the next run completes."""
    program = Path(sys.executable).with_name("brownout")
    command = f'ulimit -f 4; exec "{program}" sync --dataset "{NAB}" --out "{tmp_path}/o"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "free space" in done.stderr
    invoke("sync", "--dataset", NAB, "--out", tmp_path / "o")
    invoke("sync", "--dataset", NAB, "--out", tmp_path / "undisturbed")
    for path in sorted((tmp_path / "undisturbed" / "history").rglob("*.parquet")):
        twin = tmp_path / "o" / "history" / path.relative_to(tmp_path / "undisturbed" / "history")
        assert pq.read_table(twin).equals(pq.read_table(path))


def test_every_command_of_the_readme_exists() -> None:
    for line in re.findall(r"^brownout ([a-z ]+?)(?= -| [a-z]+-| DIR|$)", README.read_text(), re.MULTILINE):
        invoke(*line.split()[: 2 if line.startswith("evaluate") else 1], "--help")
