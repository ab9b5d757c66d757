"""A night as its user sees it, on a small real slice and on a small fleet; without Prefect, stage by stage."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from brownout.bootstrap import open_job
from brownout.domain.errors import HistoryError, ModelError, SettingsError
from brownout.domain.night import Night
from brownout.nightly.context import NightContext
from brownout.nightly.effects.kept_models import KeptModels
from brownout.nightly.passes.kept_results import KeptResults
from brownout.operate.demo import prepare_demo
from brownout.operate.night_job import NightJob
from brownout.settings import Settings, load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset

NAB = Path(__file__).parents[1] / "data" / "nab-aws"
QUICK = {"train_steps": 8}
SILENT, NEWCOMER = 1, 2
"""Rows of guests: one that says nothing any more, one that is new."""

pytestmark = pytest.mark.usefixtures("quick_training")


def night(dataset: Path, out: Path, **forecast: object) -> dict[str, object]:
    settings = load_settings(dataset=dataset, forecast=QUICK | forecast)
    job = open_job(settings, out)
    job.sync()
    job.train()
    page = job.run()
    assert job.effects.failures == ()
    assert page.exists()
    report: dict[str, object] = json.loads((out / "report" / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet") / "small"
    made = simulate(FleetSettings(hosts=2, vms=6, days=9, interval_s=600, seed=5, faults=2, only_causes=("HW-01",)))
    panel = made.panels["vm"]
    panel.values[SILENT, panel.values.shape[1] // 2 :] = np.nan
    panel.values[NEWCOMER, :-12] = np.nan  # two hours of past
    write_dataset(made, folder, name="small")
    return folder


@pytest.fixture(scope="module")
def fleet_night(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    out = tmp_path_factory.mktemp("night")
    return out, night(fleet, out)


def test_passes_of_watch_find_what_one_that_looks_at_everything_finds(
    fleet_night: tuple[Path, dict[str, object]], fleet: Path
) -> None:
    """Over the same window: what is kept from pass to pass is what would be worked out again."""
    out, _ = fleet_night
    end = open_job(Settings(), out).context().span.end
    settings = load_settings(dataset=fleet, forecast=QUICK)

    def context(kept: KeptResults, models: KeptModels, minutes: int) -> tuple[NightJob, NightContext]:
        at = end - np.timedelta64(minutes, "m")
        job = replace(open_job(settings, out, as_of=at), kept_results=kept, models=models)
        return job, job.context().with_models(models.load(job.workspace))

    passes, whole, models = KeptResults(), KeptResults(), KeptModels()
    context(whole, models, 20)
    found = [job.result(at) for job, at in (context(passes, models, minutes) for minutes in (20, 5))]
    assert passes.scores
    assert all(one.features.parts for one in passes.scores.values())
    job, last = context(whole, models, 5)
    expected = job.result(last).night
    assert expected.episodes

    def told(night: Night) -> object:
        return (
            [(e.id, e.start, e.end, e.open, [m.series for m in e.movers], e.rules) for e in night.episodes],
            [(d.id, d.start, d.end, d.open, [(c.id, c.entity) for c in d.causes]) for d in night.diagnoses],
            [(one.episode.id, one.reason) for one in night.suppressed],
            [(breach.series, breach.likely) for breach in night.breaches],
        )

    assert told(found[-1].night) == told(expected)
    assert [e.severity for e in found[-1].night.episodes] == pytest.approx([e.severity for e in expected.episodes])


def again(night: tuple[Path, dict[str, object]], folder: Path) -> Path:
    """A copy of a finished night's folder: what a test runs once more need not be trained once more."""
    shutil.copytree(night[0], folder)
    return folder


def test_a_real_slice_without_consoles_has_no_console_part(tmp_path: Path) -> None:
    report = night(NAB, tmp_path)
    assert report["latency"] is None
    assert report["series"]
    assert "console" not in (tmp_path / "report" / "report.md").read_text().lower()


def test_a_fleet_gets_everything(fleet_night: tuple[Path, dict[str, object]]) -> None:
    out, report = fleet_night
    assert report["latency"] is not None
    assert len(report["models"]) == 2  # type: ignore[arg-type]
    assert {root["entity"] for root in report["fleet"]} == {"kvm01", "kvm02"}  # type: ignore[attr-defined]
    assert (out / "mlflow.db").exists()
    assert not [path for path in out.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib", ".pt"}]


def test_a_breach_of_console_latency_names_the_loads_that_drive_it(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    """Watched again with a limit that busy hours reach."""
    echo = pq.read_table(fleet / "samples.parquet", columns=["console_echo_ms"])["console_echo_ms"].to_numpy()
    limit = float(np.nanquantile(echo, 0.9))
    settings = load_settings(dataset=fleet, forecast=QUICK | {"limits": {"console_echo_ms": limit}})
    out = again(fleet_night, tmp_path / "out")
    open_job(settings, out).run()
    report = json.loads((out / "report" / "report.json").read_text())
    coming = [breach for breach in report["breaches"] if breach["metric"] == "console_echo_ms"]
    assert coming
    fleet_ids = {"kvm01", "kvm02", *(breach["entity"].split("/")[0] for breach in coming)}
    for breach in coming:
        assert breach["drivers"] is not None
        assert sum(driver["share"] for driver in breach["drivers"]) <= 1.001
    named = [driver for breach in coming for driver in breach["drivers"]]
    assert named
    assert {driver["resource"] for driver in named} <= {"cpu", "memory", "disk", "network"}
    assert all(driver["entity"] in fleet_ids or driver["entity"].startswith("kvm") for driver in named), named
    others = [breach for breach in report["breaches"] if not breach["metric"].startswith("console")]
    assert all(breach["drivers"] is None for breach in others)


def test_the_same_night_twice_says_the_same(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    _, first = fleet_night
    second = night(fleet, tmp_path)
    for key in ("breaches", "incidents", "episodes", "forecasts", "skills", "actions", "quality"):
        assert first[key] == second[key], key


def test_a_window_of_maintenance_takes_an_incident_out_of_the_night(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    out, first = fleet_night
    incident = first["incidents"][0]  # type: ignore[index]
    window = {"name": "move", "start": incident["start"], "end": incident["end"]}
    settings = load_settings(dataset=fleet, forecast=QUICK, maintenance=[window])
    shutil.copytree(out, tmp_path / "out")
    open_job(settings, tmp_path / "out").run()
    report = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    assert [(one["name"], one["unknown"]) for one in report["maintenance"]] == [("move", [])]
    inside = [e for e in report["episodes"] if incident["start"] <= e["start"] < incident["end"]]
    assert inside == []
    assert any(incident["start"] <= e["start"] < incident["end"] for e in first["episodes"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("interval", [60, 3600])
def test_short_and_coarse_histories_still_get_a_report(interval: int, tmp_path: Path) -> None:
    made = simulate(FleetSettings(hosts=1, vms=2, days=1.5 if interval == 60 else 6, interval_s=interval, seed=1))
    write_dataset(made, tmp_path / "fleet", name="short")
    assert night(tmp_path / "fleet", tmp_path / "out")["summary"]


def test_stages_out_of_order_say_what_to_do_first(tmp_path: Path, fleet: Path) -> None:
    job = open_job(load_settings(dataset=fleet, forecast=QUICK), tmp_path)
    with pytest.raises(HistoryError, match="brownout sync"):
        job.train()
    with pytest.raises(HistoryError, match="brownout sync"):
        job.run()
    job.sync()
    with pytest.raises(ModelError, match="brownout train"):
        job.run()
    with pytest.raises(SettingsError, match="dataset"):
        open_job(Settings(), tmp_path).sync()


def test_the_demo_does_not_replace_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").write_text("precious")
    with pytest.raises(Exception, match="no demo made"):
        prepare_demo(tmp_path, seed=1)
    assert (tmp_path / "models" / "mine.txt").exists()


def test_the_demo_can_be_made_again(tmp_path: Path) -> None:
    small = replace(FleetSettings(), hosts=1, vms=2, days=1, interval_s=300)
    first = (prepare_demo(tmp_path / "d", seed=1, fleet=small)).read_text()
    assert prepare_demo(tmp_path / "d", seed=1, fleet=small).read_text() == first


def test_a_night_as_of_a_time_is_that_of_a_fleet_that_ends_there(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    """Samples, late entities and whatever came later must not matter: the same history, cut, gives the same night."""
    out, _ = fleet_night
    then = np.datetime64("2026-03-09T05:00", "ms")
    table = pq.read_table(fleet / "samples.parquet")
    cut = tmp_path / "cut"
    shutil.copytree(fleet, cut)
    before = pc.less(table["time"], pa.scalar(then.astype(object), pa.timestamp("ms", "UTC")))
    pq.write_table(table.filter(before), cut / "samples.parquet")
    later = set(pc.unique(table["entity"]).to_pylist()) - set(pc.unique(table.filter(before)["entity"]).to_pylist())
    assert later == {"vm003"}
    listed = (fleet / "entities.csv").read_text().splitlines(keepends=True)
    (cut / "entities.csv").write_text("".join(line for line in listed if line.split(",")[0] not in later))
    reports = []
    for name, dataset, as_of in (("whole", fleet, then), ("short", cut, None)):
        folder = tmp_path / name
        shutil.copytree(out / "models", folder / "models")
        job = open_job(load_settings(dataset=dataset, forecast=QUICK), folder, as_of=as_of)
        job.sync()
        job.run()
        reports.append(json.loads((folder / "report" / "report.json").read_text()))
    for key in ("breaches", "incidents", "episodes", "suppressed", "forecasts", "quality", "fleet"):
        assert reports[0][key] == reports[1][key], key


def test_a_silent_entity_and_one_that_is_forecast_by_its_peers_are_named(
    fleet_night: tuple[Path, dict[str, object]],
) -> None:
    out, report = fleet_night
    assert report["quality"]["silent"] == ["vm002"]  # type: ignore[index]
    assert report["quality"]["by_peers"] == ["vm003"]  # type: ignore[index]
    assert "Less than a day old: vm003" in (out / "report" / "index.html").read_text()


def test_limits_of_the_settings_win(fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    out = again(fleet_night, tmp_path / "out")
    open_job(load_settings(dataset=fleet, forecast=QUICK | {"limits": {"console_update_ms": 1.0}}), out).run()
    report = json.loads((out / "report" / "report.json").read_text())
    assert "console_update_ms" in {item["metric"] for item in report["chronic"]}
    assert "console_update_ms" not in {item["metric"] for item in fleet_night[1]["chronic"]}  # type: ignore[attr-defined]


def test_a_second_night_reads_only_the_last_week_again_and_registers_a_new_version(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    settings = load_settings(dataset=fleet, forecast=QUICK)
    assert open_job(settings, tmp_path / "fresh").sync().slices == 2
    job = open_job(settings, again(fleet_night, tmp_path / "out"))
    assert job.sync().slices == 1
    first = [record["uri"] for record in fleet_night[1]["models"]]  # type: ignore[attr-defined]
    job.train()
    second = [record.uri for record in job.log_trainings()]
    assert [uri.rsplit("/", 1)[1] for uri in (*first, *second)] == ["1", "1", "2", "2"]


def test_what_fails_beside_the_night_is_told_and_the_report_is_there(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    out = again(fleet_night, tmp_path / "out")
    shutil.rmtree(out / "report")
    (out / "episodes.json").unlink()
    away = {"uri": "http://127.0.0.1:9"}
    influx = {"url": "http://127.0.0.1:9", "version": 1, "timeout_s": 1, "budget_s": 1}
    job = open_job(load_settings(dataset=fleet, forecast=QUICK, tracking=away), out)
    job.train(only_if_due=True)
    broken = replace(job, services=open_job(load_settings(influxdb=influx), out).services)
    page = broken.run()
    assert page.exists()
    assert [outcome.effect for outcome in broken.effects.failures] == ["write back"]
    assert broken.effects.exit_code == 1
    assert (out / "episodes.json").exists()


def test_a_second_night_on_the_same_data_trains_nothing_and_one_with_other_settings_does(
    fleet: Path, fleet_night: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    out = again(fleet_night, tmp_path / "out")
    job = open_job(load_settings(dataset=fleet, forecast=QUICK), out)
    written = {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")}
    trained = job.train(only_if_due=True)
    assert {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")} == written
    other = open_job(load_settings(dataset=fleet, forecast=QUICK | {"limits": {"console_update_ms": 90.0}}), out)
    forecaster, detector = other.train(only_if_due=True)
    assert forecaster.parameters["start"] == "champion"
    assert forecaster != trained[0]
    assert detector == trained[1]
    (job.workspace.detector / "detector.json").write_text("{")
    assert open_job(job.settings, out).train(only_if_due=True)[1].trained_to == trained[1].trained_to
