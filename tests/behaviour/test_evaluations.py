"""Evaluations: the outputs that other tools rely on, and the protocol they promise."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import Write

from brownout.domain.findings import Episode
from brownout.evaluate.evaluate_detect import evaluate_detect
from brownout.evaluate.evaluate_diagnose import evaluate_diagnose
from brownout.evaluate.evaluate_forecast import ForecastEvaluation, evaluate_forecast
from brownout.evaluate.evaluate_own import evaluate_own
from brownout.evaluate.labelled_incidents import healthy_window
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.selection.rolling_calibration import RollingCalibration
from brownout.nightly.diagnose import _noticed
from brownout.simulation import Fleet, FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

MINUTE = np.timedelta64(1, "m")


def strict(path: Path) -> dict[str, Any]:
    """A JSON file as every reader takes it: without NaN and infinity."""

    def refuse(constant: str) -> float:
        msg = f"{path} holds {constant}, which is not JSON"
        raise AssertionError(msg)

    return dict(json.loads(path.read_text(), parse_constant=refuse))


NAB = Path(__file__).parents[1] / "data" / "nab-aws"


@pytest.fixture
def waves(write_dataset: Write) -> Path:
    times = np.arange(np.datetime64("2026-03-02"), np.datetime64("2026-03-16"), np.timedelta64(30, "m"))
    rng = np.random.default_rng(0)
    wave = 50 + 20 * np.sin(np.arange(len(times)) * 2 * np.pi / 48)
    values = np.concatenate([wave + rng.normal(0, 2, len(times)) for _ in range(3)])
    return write_dataset(
        {"cpu": values.tolist()},
        times=[str(time) for _ in range(3) for time in times],
        entities=[name for name in "abc" for _ in times],
        header='name = "waves"\ninterval_s = 1800\n[metrics.cpu]\nrole = "cpu"\nunit = "%"\ncapacity = 100\n',
    )


def test_forecast_writes_every_quantile_of_every_step_from_every_origin(
    waves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import brownout.evaluate.evaluate_forecast as module
    from brownout.forecasting.lstm_settings import LstmSettings

    monkeypatch.setattr(module, "LstmSettings", lambda **given: LstmSettings(**given, context=96, steps=20, hidden=16))
    result = evaluate_forecast(Dataset.open(waves), tmp_path, ForecastEvaluation(horizon=24, stride=24))
    table = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    assert list(table.columns) == ["entity", "metric", "origin", "time", *(f"q{d}0" for d in range(1, 10))]
    span = table.groupby(["entity", "metric", "origin"], observed=True)["time"].agg(["count", "min", "max"])
    assert (span["count"] == 24).all()
    assert ((span["min"] - span.index.get_level_values("origin")) == "30min").all()
    test_start = pd.Timestamp("2026-03-02", tz="UTC") + 0.8 * pd.Timedelta(days=14)
    assert abs(table["origin"].min() - test_start) < pd.Timedelta("1h")
    quantiles = table.filter(like="q").to_numpy()
    assert (np.diff(quantiles, axis=1) >= -1e-4).all()
    assert set(result["scores"]) == {"overall", "cpu"}  # type: ignore[call-overload]
    assert strict(tmp_path / "scores.json")["protocol"]["horizon"] == 24
    assert result["by_kind"]["entity"] == result["scores"]["overall"]  # type: ignore[index]
    assert len(result["by_horizon"]) == 4  # type: ignore[arg-type]
    assert sum(part["values"] for part in result["by_horizon"]) == result["scores"]["overall"]["values"]  # type: ignore[attr-defined, index]
    assert result["breaches"]["cpu"]["crossed"] == 0  # type: ignore[index]


def test_forecasts_of_metrics_with_a_limit_are_judged_as_warnings_too(
    waves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import brownout.evaluate.evaluate_forecast as module
    from brownout.forecasting.lstm_settings import LstmSettings

    monkeypatch.setattr(module, "LstmSettings", lambda **given: LstmSettings(**given, context=96, steps=20, hidden=16))
    header = (waves / "dataset.toml").read_text() + 'limit = 65\nworse = "up"\n'
    (waves / "dataset.toml").write_text(header)
    evaluate_forecast(Dataset.open(waves), tmp_path, ForecastEvaluation(horizon=24, stride=6))
    scores = strict(tmp_path / "scores.json")["breaches"]["cpu"]
    # The wave crosses 65 every day: each breach is foreseen, and half a day ahead.
    assert scores["breaches"] >= 3
    assert scores["warned_of"] > 0.9
    assert 1 < scores["median_lead_h"] <= 12
    assert scores["brier"] < 0.25


@pytest.mark.parametrize("source", ["trained here", "stored"])
def test_a_forecast_knows_nothing_of_what_comes_after_its_origin(
    source: str, waves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training, calibration, choice, prediction, what is learned of earlier forecasts: a poisoned future changes none.

    Origins lie so close that most forecasts are half measured when the next ones are calibrated by them.
    """
    import brownout.evaluate.evaluate_forecast as module
    from brownout.forecasting.lstm_settings import LstmSettings

    monkeypatch.setattr(module, "LstmSettings", lambda **given: LstmSettings(**given, context=96, steps=20, hidden=16))
    model, tables = None, []
    if source == "stored":
        model = tmp_path / "model"
        settings = LstmSettings(context=96, horizon=24, steps=20, hidden=16)
        panel = next(shards(Dataset.open(waves))).panel
        SelectedForecaster(settings).fit([panel.between(panel.start, panel.start + 400 * panel.step)]).save(model)
    for name in ("plain", "poisoned", "unlearned"):
        if name == "poisoned":
            samples = pd.read_parquet(waves / "samples.parquet")
            start, end = samples["time"].min(), samples["time"].max()
            poison = start + 0.93 * (end - start)
            samples.loc[samples["time"] > poison, "cpu"] = 99
            samples.to_parquet(waves / "samples.parquet")
        if name == "unlearned":
            monkeypatch.setattr(RollingCalibration, "learn", lambda _self, _parts: None)
        evaluate_forecast(Dataset.open(waves), tmp_path / name, ForecastEvaluation(horizon=24, stride=2, model=model))
        table = pq.read_table(tmp_path / name / "predictions.parquet").to_pandas()
        tables.append(table[table["origin"] <= poison] if name != "plain" else table)
    plain = tables[0][tables[0]["origin"] <= poison]
    assert plain["origin"].nunique() > 35
    pd.testing.assert_frame_equal(plain.reset_index(drop=True), tables[1].reset_index(drop=True))
    moved = (plain["q90"].to_numpy() != tables[2]["q90"].to_numpy()).mean()
    assert 0.5 < moved < 1, "outcomes of earlier forecasts calibrate the later ones, but not the first"


def test_detect_scores_every_distinct_time_after_the_warm_up_once(tmp_path: Path) -> None:
    dataset = Dataset.open(NAB)
    result = evaluate_detect(dataset, tmp_path)
    table = pq.read_table(tmp_path / "scores.parquet").to_pandas()
    assert not table.duplicated(["entity", "time"]).any()
    assert table["score"].notna().all()
    assert table["alarm"].any()
    assert table["alarm"].mean() < 0.05
    spans = dataset.spans()
    for entity, rows in table.groupby("entity", observed=True):
        span = spans[str(entity)]
        warm = span.first + (span.last - span.first) * 0.15
        assert abs(rows["time"].min() - pd.Timestamp(warm, tz="UTC")) < pd.Timedelta("1h")
    assert 0 < result["scores"]["average_precision"] <= 1  # type: ignore[index]
    assert strict(tmp_path / "scores.json")["scores"] == result["scores"]
    assert "alarms" not in result  # nothing hangs on anything here, and no metric is one of ours


SERVICES = """name = "services"
interval_s = 5

[metrics.cpu_usage]
role = "cpu"

[metrics.mem_usage]
role = "memory"
"""
GROUPS = "entity,kind,parent,group\ng1/a,service,,g1\ng1/b,service,,g1\ng2/a,service,,g2\ng2/b,service,,g2\n"


@pytest.fixture
def services(write_dataset: Write) -> Path:
    """Two groups of two services; in each one's CPU jumps. The other group must not be looked at."""
    times = np.arange(np.datetime64("2026-03-02T00:00"), np.datetime64("2026-03-02T01:00"), np.timedelta64(5, "s"))
    rng = np.random.default_rng(0)
    columns: dict[str, list[float]] = {"cpu_usage": [], "mem_usage": []}
    for name in ("g1/a", "g1/b", "g2/a", "g2/b"):
        for column in columns:
            values = 10 + rng.normal(0, 0.3, len(times))
            if column == "cpu_usage" and name in {"g1/a", "g2/b"}:
                values[600:] += 30
            columns[column] += values.tolist()
    return write_dataset(
        columns,  # type: ignore[arg-type]
        times=[str(time) for _ in range(4) for time in times],
        entities=[name for name in ("g1/a", "g1/b", "g2/a", "g2/b") for _ in times],
        header=SERVICES,
    )


def test_diagnose_looks_at_the_incidents_group_only_and_answers_coarse_labels_with_families(
    services: Path, tmp_path: Path
) -> None:
    (services / "entities.csv").write_text(GROUPS)
    (services / "incidents.csv").write_text(
        "incident,group,start,end,entity,cause\n"
        "i1,g1,2026-03-02T00:50:00Z,2026-03-02T01:00:00Z,g1/a,cpu\n"
        "i2,g2,2026-03-02T00:50:00Z,2026-03-02T01:00:00Z,g2/b,cpu\n"
    )
    result = evaluate_diagnose(Dataset.open(services), tmp_path)
    assert result["answers"] == "families"
    assert result["scores"]["ac1"] == 1  # type: ignore[index]
    table = pq.read_table(tmp_path / "ranking.parquet").to_pandas()
    for incident, rows in table.groupby("incident"):
        assert all(entity.startswith(f"g{incident[1]}/") for entity in rows["entity"] if entity)
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["probability"].is_monotonic_decreasing


def test_a_delay_hides_the_begin_of_the_incident(services: Path, tmp_path: Path) -> None:
    (services / "entities.csv").write_text(GROUPS)
    (services / "incidents.csv").write_text(
        "incident,group,start,end,entity,cause\ni1,g1,2026-03-02T00:50:00Z,2026-03-02T01:00:00Z,g1/a,cpu\n"
    )
    prompt = evaluate_diagnose(Dataset.open(services), tmp_path / "0", 0)
    late = evaluate_diagnose(Dataset.open(services), tmp_path / "60", 60)
    assert late["delay_s"] == strict(tmp_path / "60" / "scores.json")["delay_s"] == 60
    assert prompt["healthy"] == late["healthy"] == {"spans": 1, "given_a_cause": 0.0}
    assert prompt["scores"]["ac1"] >= late["scores"]["ac1"]  # type: ignore[index]


def test_own_episodes_are_judged_against_the_incidents_they_find(tmp_path: Path) -> None:
    """What the product finds by itself: a host at its limit is found with its cause, and nothing is learned from it."""
    settings = FleetSettings(hosts=2, vms=4, days=9, interval_s=600, seed=2, faults=2, lead=0.5, only_causes=("HW-01",))
    write_dataset(simulate(settings), tmp_path / "fleet", name="fleet")
    result = evaluate_own(Dataset.open(tmp_path / "fleet"), tmp_path / "out", 60)
    assert result["delay_s"] == 60
    assert result["found"] == 1.0
    assert result["scores"]["ac1"] == 1.0  # type: ignore[index]
    ranking = pq.read_table(tmp_path / "out" / "ranking.parquet").to_pandas()
    assert set(ranking["incident"]) == {"incident-001", "incident-002"}
    assert set(ranking.loc[ranking["rank"] == 1, "cause"]) == {"HW-01"}
    assert strict(tmp_path / "out" / "scores.json")["false"]["healthy_guest_days"] > 0


@pytest.mark.parametrize("telemetry", ["host-only", "no-probe"])
def test_own_episodes_are_judged_on_less_telemetry_too(
    telemetry: Literal["host-only", "no-probe"], tmp_path: Path
) -> None:
    settings = FleetSettings(hosts=1, vms=2, days=4, interval_s=900, seed=3, faults=1, lead=0.5, telemetry=telemetry)
    write_dataset(simulate(replace(settings, only_causes=("HW-01",))), tmp_path / "fleet", name="fleet")
    result = evaluate_own(Dataset.open(tmp_path / "fleet"), tmp_path / "out")
    assert result["found"] == 1.0
    assert strict(tmp_path / "out" / "scores.json")["families"]["cpu"]["ac1"] == 1.0


def test_a_span_before_an_incident_is_healthy_unless_another_one_is_near(services: Path) -> None:
    (services / "entities.csv").write_text(GROUPS)
    (services / "incidents.csv").write_text(
        "incident,group,start,end,entity,cause\n"
        "i1,g1,2026-03-02T00:20:00Z,2026-03-02T00:22:00Z,g1/a,cpu\n"
        "i2,g1,2026-03-02T00:50:00Z,2026-03-02T00:58:00Z,g1/a,cpu\n"
        "i3,g2,2026-03-02T00:10:00Z,2026-03-02T00:40:00Z,g2/a,cpu\n"
    )
    dataset, first = Dataset.open(services), np.datetime64("2026-03-02T00:00", "ms")
    one, near, long = (healthy_window(incident, dataset, first) for incident in dataset.incidents)
    assert one is not None
    assert (one.start, one.end, one.entities) == (first + MINUTE * 18, first + MINUTE * 20, ("g1/a", "g1/b"))
    assert near is None
    assert long is not None
    assert (long.start, long.end) == (first + MINUTE * 5, first + MINUTE * 10)


def test_an_episode_noticed_late_begins_later_but_never_after_its_end() -> None:
    start, end = np.datetime64("2026-03-02T00:00", "ms"), np.datetime64("2026-03-02T00:10", "ms")
    episode = Episode(id="e", entity="a", start=start, end=end, open=False, severity=1.0, movers=())
    assert [_noticed(episode, delay).start for delay in (0, 90, 3600)] == [start, start + np.timedelta64(90, "s"), end]
    assert _noticed(episode, 90).end == end


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Fleet, Path]:
    """What is alarmed on a fleet with two kinds of incidents, one of them an artefact."""
    tmp_path = tmp_path_factory.mktemp("alarms")
    causes = ("HW-01", "ART-04")
    settings = FleetSettings(
        hosts=2, vms=4, days=6, interval_s=600, seed=2, faults=4, lead=0.4, only_causes=causes, signatures=True
    )
    fleet = simulate(settings)
    write_dataset(fleet, tmp_path / "fleet", name="fleet")
    header = tmp_path / "fleet" / "dataset.toml"
    header.write_text('test_start = "2026-03-05T12:00:00Z"\n' + header.read_text())
    result = evaluate_detect(Dataset.open(tmp_path / "fleet"), tmp_path / "out")
    return cast("dict[str, Any]", result["alarms"]), fleet, tmp_path


def test_detect_judges_a_fleet_by_what_its_nights_alarm(judged: tuple[dict[str, Any], Fleet, Path]) -> None:
    """Maintenance is found as an episode and left quiet; a host at its limit is alarmed; and so says the table."""
    alarms, fleet, tmp_path = judged
    assert (alarms["faults"], alarms["alarmed"], alarms["missed"]) == (1, 1.0, [])
    assert alarms["artefacts"] == {"judged": 2, "found": 2, "alarmed": 0}
    assert alarms["suppressed"]["artefact"] >= 2
    assert alarms["episodes"] > alarms["suppressed"]["artefact"]
    before = alarms["false_episodes_per_guest_day_before_sifting"]
    assert alarms["false_episodes_per_guest_day"] < before
    table = pq.read_table(tmp_path / "out" / "scores.parquet").to_pandas()
    raised = table[table["alarm"]]
    for incident in fleet.incidents[1:]:
        start, end = (pd.Timestamp(time, tz="UTC") for time in (incident.start, incident.end))
        during = raised[(raised["time"] >= start) & (raised["time"] < end)]
        assert len(during) == 0 if incident.cause == "ART-04" else incident.entity in set(during["entity"])
    assert strict(tmp_path / "out" / "scores.json")["alarms"] == alarms


def test_detect_invents_no_incident(judged: tuple[dict[str, Any], Fleet, Path]) -> None:
    assert judged[0]["false_incidents"] == 0
