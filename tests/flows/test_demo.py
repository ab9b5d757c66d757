"""The demo and its nightly flow on a real temporary Prefect server, with MLflow in sqlite: what they leave behind."""

import json
import sqlite3

from conftest import Ran


def test_the_demo_finds_what_was_injected_and_says_where_the_report_is(demo: Ran) -> None:
    assert demo.out.parent / demo.stdout.strip() == demo.out / "report" / "index.html"
    assert "file://" in demo.stderr
    report = json.loads((demo.out / "report" / "report.json").read_text())
    assert report["summary"]["incidents_open"] >= 1
    assert report["breaches"]
    injected = {
        tuple(line.split(",")[4:6]) for line in (demo.out / "fleet" / "incidents.csv").read_text().splitlines()[1:]
    }
    named = {(incident["causes"][0]["entity"], incident["causes"][0]["id"]) for incident in report["incidents"]}
    assert len(named & injected) >= 2
    leaking = {entity for entity, cause in injected if cause == "LEAK-01"}
    memory = {breach["entity"] for breach in report["breaches"] if breach["metric"] == "vm_memory_usable_pct"}
    assert memory & leaking
    effects = [a["effect"] for i in report["incidents"] for a in i["actions"] if a["effect"]]
    assert any(effect["now_ms"] > 2 * effect["low_ms"] for effect in effects)


def test_it_ends_quietly(demo: Ran) -> None:
    for word in ("Traceback", "Error", "error:", "Connection", "Warning"):
        assert word not in demo.stderr, demo.stderr


def test_prefect_kept_tasks_and_artifacts(demo: Ran) -> None:
    with sqlite3.connect(demo.out / "prefect" / "prefect.db") as database:
        artifacts = dict(database.execute("select key, type from artifact_collection"))
        data = dict(database.execute("select key, data from artifact_collection"))
        tasks = [row[0] for row in database.execute("select name from task_run where state_type = 'COMPLETED'")]
        failed = database.execute("select count(*) from task_run where state_type != 'COMPLETED'").fetchone()[0]
    assert artifacts == {"report": "markdown", "findings": "table", "watch": "progress", "investigate": "progress"}
    assert "index.html" in data["report"]
    assert float(data["watch"]) == 100
    assert "going on" in data["findings"]
    assert failed == 0
    watched = [name for name in tasks if name.startswith("watch ")]
    kinds = {name.split()[1] for name in watched}
    assert len(kinds) == 7, watched  # hosts, disks, interfaces, paths, links, guests, consoles


def test_mlflow_kept_what_a_reviewer_asks_for(demo: Ran) -> None:
    with sqlite3.connect(demo.out / "mlflow.db") as database:
        parameters = dict(
            database.execute(
                "select p.key, p.value from params p join runs r using (run_uuid) where r.name = 'brownout-forecaster'"
            )
        )
        metrics = dict(database.execute("select key, value from metrics"))
        aliases = set(database.execute("select name, alias, version from registered_model_aliases"))
    assert {"seed", "lock", "environment", "trained_from", "trained_to", "source", "hidden"} <= set(parameters)
    assert 0 < metrics["all.crps"] < 1
    assert aliases == {("brownout-forecaster", "champion", 1), ("brownout-detector", "champion", 1)}
    stored = [path.suffix for path in (demo.out / "mlflow-artifacts").rglob("*") if path.is_file()]
    assert {".safetensors", ".skops"} <= set(stored)
    assert set(stored) <= {
        "",
        ".csv",
        ".html",
        ".json",
        ".parquet",
        ".safetensors",
        ".skops",
        ".svg",
        ".txt",
        ".yaml",
        ".yml",
    }
