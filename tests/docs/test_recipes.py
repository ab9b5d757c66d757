"""The recipes of CONTRIBUTING, performed as they stand there: in a site's folder, and in a copy of models/."""

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from brownout.cli import app
from brownout.detection.episodes.threshold_rules import RuleState, rule_states
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.domain.definitions import FILES, MAPPING, definitions_folder
from brownout.domain.entities import Entity
from brownout.domain.findings import Diagnosis
from brownout.domain.forecasts import Breach, Series
from brownout.domain.panel import Panel
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import TelegrafMapping
from brownout.ingest.raw import MeasurementSchema, Raw, Request
from brownout.planning.actions import plan_breach, plan_diagnosis
from brownout.planning.commands import Site, completed
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import Platform
from brownout.simulation import FleetSettings, SimulationDefinitions, simulate
from brownout.simulation.fleet import Fleet
from brownout.site_knowledge import load_definitions
from brownout.store.dataset import Dataset

ROOT = Path(__file__).parents[2]
RECIPE = re.compile(r"^### Add an? ([a-z ]+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(toml|python) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLEET = FleetSettings(hosts=2, vms=8, days=6, interval_s=300, seed=4, faults=1, only_causes=("SITE-01",))


def recipes() -> dict[str, dict[str, str]]:
    """Text by file of each recipe, in order."""
    parts = RECIPE.split((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))[1:]
    return {
        title: {file: text for _, file, text in BLOCK.findall(body.split("\n## ")[0])}
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder with all recipes that are data."""
    folder = tmp_path_factory.mktemp("site")
    for blocks in recipes().values():
        for file, text in blocks.items():
            if file.endswith(".toml"):
                (folder / file).write_text(text)
    return folder


def test_all_that_can_be_added_has_a_recipe() -> None:
    wanted = {"metric", "collector", "rule", "cause", "remedy", "simulated fault", "forecaster"}
    assert set(recipes()) == wanted
    assert all(recipes().values())


def test_the_recipes_do_the_same_in_models(site: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(definitions_folder(), copy)
    paths = {Path(file).name: copy / file for file in FILES.values()} | {MAPPING: copy / MAPPING}
    for file in site.iterdir():
        text = file.read_text()
        shipped = paths[file.name].read_text()
        for table in re.findall(r"^\[breaches\]$", text, re.MULTILINE):
            head, entries = text.split(f"{table}\n")
            shipped, text = shipped.replace(f"{table}\n", f"{table}\n{entries}"), head
        paths[file.name].write_text(f"{shipped}\n{text}")
    both = load_definitions(site), load_definitions(shipped=copy)
    for part in ("catalogue", "rules", "knowledge", "remedies"):
        assert getattr(both[0], part) == getattr(both[1], part), part
    faults = SimulationDefinitions.load(site), SimulationDefinitions.load(shipped=copy)
    assert faults[0] == faults[1]


class Database:
    """A database in memory with one measurement of one host."""

    name = label = "memory"

    def schemas(self) -> dict[str, MeasurementSchema]:
        return {"ipmi_fans": MeasurementSchema(tags=("host",), fields=("down",))}

    def read(self, request: Request) -> Raw:
        times = request.start.astype(np.int64) + np.arange(180) * 60_000
        return Raw(("down",), ({"host": "kvm9"},), np.zeros(180, np.int64), times, np.full((180, 1), 2.0))


def test_a_collector_and_a_metric_are_added(site: Path) -> None:
    mapping = TelegrafMapping.load(site / MAPPING, catalogue=load_definitions(site).catalogue)
    metric = next(metric for metric in mapping.metrics if metric.name == "host_fans_down")
    assert metric.title == "Fans that stand still"
    database: Any = Database()
    start = np.datetime64("2026-03-02T00:00", "ms")
    samples = Canonicaliser(database, mapping, 60).read(start, start + np.timedelta64(1, "h"), database.schemas())
    table = samples.tables[0]
    assert set(table["entity"].to_pylist()) == {"kvm9"}
    assert set(table["host_fans_down"].to_pylist()) == {2.0}


def test_a_rule_is_added(site: Path) -> None:
    definitions = load_definitions(site)
    rule = next(rule for rule in definitions.rules if rule.id == "R-FANS")
    values = np.zeros((1, 60, 1), np.float32)
    values[0, 30:] = 1
    metrics = definitions.catalogue.select(["host_fans_down"])
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 60, (Entity(id="kvm9", kind="host"),), metrics)
    states = rule_states(rule, panel)
    assert states is not None
    assert states[0, 29] == RuleState.FALSE
    assert states[0, -1] == RuleState.RAISED


@pytest.fixture(scope="module")
def fleet(site: Path) -> Fleet:
    return simulate(FLEET, SimulationDefinitions.load(site))


@pytest.fixture(scope="module")
def diagnosis(site: Path, fleet: Fleet) -> Diagnosis:
    incident = fleet.incidents[0]
    members = tuple(entity.id for entity in fleet.topology if entity.group == incident.group)
    panels = [
        panel.select(entities=[row for row, name in enumerate(panel.entity_ids) if name in members]).between(
            panel.start, incident.end
        )
        for panel in fleet.panels.values()
    ]
    window = IncidentWindow(id="i", start=incident.start, end=incident.end, entities=members)
    return Diagnoser(load_definitions(site).knowledge).diagnose(window, panels, fleet.topology)


def test_a_simulated_fault_is_added(fleet: Fleet) -> None:
    incident, panel = fleet.incidents[0], fleet.panels["host"]
    assert incident.cause == "SITE-01"
    row, column = panel.entity_ids.index(incident.entity), panel.metric_names.index("host_fans_down")
    assert np.nanmin(panel.between(incident.start, incident.end).values[row, :, column]) >= 1
    assert np.nanmax(panel.between(panel.start, incident.start).values[row, :, column]) == 0


def test_a_cause_is_added(fleet: Fleet, diagnosis: Diagnosis) -> None:
    assert (diagnosis.top.id, diagnosis.top.entity) == ("SITE-01", fleet.incidents[0].entity)
    assert f"fans of {diagnosis.top.entity} stood still" in diagnosis.summary


def test_a_remedy_is_added(site: Path, fleet: Fleet, diagnosis: Diagnosis) -> None:
    definitions = load_definitions(site)
    remedies, going_on = definitions.remedies, replace(diagnosis, open=True)
    planned = plan_diagnosis(going_on, list(fleet.panels.values()), fleet.topology, remedies)
    headroom = Headroom.of(fleet.topology, ())
    platform = Site(
        platform=Platform.LIBVIRT, operations=remedies.operations, topology=fleet.topology, headroom=headroom
    )
    action = completed(planned, platform, remedies)[0]
    assert action.title == "Replace the fans"
    assert action.confirm == f"ssh {diagnosis.top.entity} 'ipmitool sdr type Fan'"
    assert action.by_hand.startswith("replace the fans")
    host = diagnosis.top.entity
    breach = Breach(
        series=Series(host, "host_freq_ratio"), limit=0.7, probability=0.8, earliest=None, likely=None, latest=None,
        duration_s=0, horizon_s=3600, now=0.9, maker="naive",
    )  # fmt: skip
    ahead = plan_breach(breach, definitions.catalogue.metrics, fleet.topology, definitions.remedies)
    assert ahead.title == "Replace the fans"


def test_the_command_line_simulates_what_a_site_knows(site: Path, tmp_path: Path) -> None:
    typed = ["--hosts", "1", "--vms", "2", "--days", "2", "--interval", "900", "--faults", "1"]
    done = CliRunner().invoke(
        app, ["simulate", str(tmp_path / "x"), *typed, "--knowledge", str(site), "--only-causes", "SITE-01"]
    )
    assert done.exit_code == 0, done.output
    dataset = Dataset.open(tmp_path / "x", catalogue=load_definitions(site).catalogue)
    assert [incident.cause for incident in dataset.incidents] == ["SITE-01"]
    assert "Fans that stand still" in {metric.title for metric in dataset.metrics}


def imported(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def forecaster(tmp_path: Path) -> Iterator[Any]:
    (file, text), *_ = recipes()["forecaster"].items()
    (tmp_path / file).write_text(text)
    yield imported(tmp_path / file, "recipe_forecaster").LastHours()
    del sys.modules["recipe_forecaster"]


def test_a_forecaster_is_added(forecaster: Any) -> None:
    contract = imported(ROOT / "tests" / "contracts" / "test_forecasters.py", "recipe_contract")
    checks: list[Callable[[Any], None]] = [
        check
        for name, check in vars(contract).items()
        if name.startswith("test_") and tuple(check.__annotations__) == ("forecaster", "return")
    ]
    assert len(checks) >= 5
    for check in checks:
        check(forecaster)
