"""A site's own causes hold wherever the product is judged or examined, as they do in its nights."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import invoke

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.telemetry_coverage import missing_evidence, whole_cost
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset

pytestmark = pytest.mark.usefixtures("quick_training")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One host at its limit."""
    folder = tmp_path_factory.mktemp("site") / "fleet"
    settings = FleetSettings(hosts=1, vms=2, days=4, interval_s=900, seed=3, faults=1, lead=0.5, only_causes=("HW-01",))
    write_dataset(simulate(settings), folder, name="fleet")
    return folder


def site(folder: Path, text: str) -> Path:
    (folder / "site").mkdir()
    (folder / "site" / "causes.toml").write_text(text)
    return folder / "site"


def test_labelled_incidents_are_ranked_by_the_causes_of_the_site(fleet: Path, tmp_path: Path) -> None:
    own = site(tmp_path, "[causes.HW-01]\nenabled = false\n")
    causes = []
    for out, options in (("shipped", ()), ("site", ("--knowledge", own))):
        invoke("evaluate", "diagnose", fleet, "--out", tmp_path / out, *options)
        causes.append(set(pq.read_table(tmp_path / out / "ranking.parquet")["cause"].to_pylist()))
    assert "HW-01" in causes[0]
    assert "HW-01" not in causes[1]


def test_what_a_site_calls_harmless_is_judged_as_harmless(fleet: Path, tmp_path: Path) -> None:
    own = site(tmp_path, "[causes.HW-01]\nartefact = true\n")
    invoke("evaluate", "diagnose", fleet, "--episodes", "own", "--out", tmp_path / "own", "--knowledge", own)
    assert json.loads((tmp_path / "own" / "scores.json").read_text())["artefacts"] == 1
    invoke("evaluate", "detect", fleet, "--out", tmp_path / "detect", "--knowledge", own)
    alarms = json.loads((tmp_path / "detect" / "scores.json").read_text())["alarms"]
    assert (alarms["faults"], alarms["artefacts"]["judged"]) == (0, 1)


def test_the_doctor_counts_the_causes_of_the_site(tmp_path: Path) -> None:
    shipped = Knowledge.load()
    own = Knowledge.load(site(tmp_path, '[causes.HW-01]\nenabled = false\n[causes.HW-02]\ntitle = "Ours"\n'))
    mapping = TelegrafMapping.load()
    (named, blind), (all_named, all_blind) = (whole_cost(mapping, {}, known) for known in (own, shipped))
    assert named + len(blind) == all_named + len(all_blind) - 1
    assert "Ours" in blind
    assert "Ours" in "; ".join(titles for _, titles in missing_evidence(mapping, {}, own)).split("; ")
    assert "Ours" not in "; ".join(titles for _, titles in missing_evidence(mapping, {}, shipped)).split("; ")
