"""The same incidents diagnosed over a data set and over a real InfluxDB 1.x that holds Telegraf's measurements.

    python benchmarks/diagnosis/database.py [--seed 300] [--hosts 10] [--faults 40] [--days 8] [--interval 300]

Needs ``influxd`` (apt install influxdb). A fleet is simulated, written as Telegraf and ``brownout facts`` would,
synced into a history, and each incident is diagnosed from the panels of the fleet and from those of the history.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from influx import influxd

from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.findings import Cause
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.evaluation.diagnosis_scores import diagnosis_scores, judge
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.line_protocol import batches
from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import sync
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import Fleet
from brownout.simulation.simulation_definitions import SimulationDefinitions
from brownout.simulation.telegraf import telegraf_points
from brownout.store.history import History
from brownout.store.shards import plan_shards, read_shard

WEEK = np.timedelta64(7, "D")
KNOWLEDGE = Knowledge.load()
Panels = dict[str, list[Panel]]


def ranking(incident: Incident, panels: list[Panel], topology: Topology, members: tuple[str, ...]) -> list[Cause]:
    """Causes of an incident, best first."""
    window = IncidentWindow(id=incident.id, start=incident.start, end=incident.end, entities=members)
    past = [panel.between(incident.start - WEEK, incident.end) for panel in panels]
    return list(Diagnoser(KNOWLEDGE).diagnose(window, past, topology).causes)


def of_fleet(fleet: Fleet) -> Panels:
    """Panels by host, as simulated."""
    found: Panels = {}
    for panel in fleet.panels.values():
        for host in dict.fromkeys(entity.group for entity in panel.entities):
            rows = [row for row, entity in enumerate(panel.entities) if entity.group == host]
            found.setdefault(host, []).append(panel.select(entities=rows))
    return found


def of_history(history: History, hosts: list[str]) -> Panels:
    """Panels by host, as synced."""
    related = {host: set(history.topology.related(host)) for host in hosts}
    plans = {host: plan_shards(history, entities=members) for host, members in related.items()}
    return {host: [read_shard(history, plan).panel for plan in own] for host, own in plans.items()}


def without_signatures(panels: Panels) -> Panels:
    """What was told apart before signatures were read from a database."""
    signatures = set(SimulationDefinitions.load().signatures)
    return {
        host: [
            panel.select(metrics=[i for i, name in enumerate(panel.metric_names) if name not in signatures])
            for panel in own
        ]
        for host, own in panels.items()
    }


def synced(fleet: Fleet, folder: Path) -> History:
    """The fleet by way of a database."""
    settings = fleet.settings
    with influxd(folder) as server:
        database: InfluxQlDatabase = server.database("fleet")
        started = time.monotonic()
        lines = sum(database.write(batches(points)) for points in telegraf_points(fleet))
        written = time.monotonic()
        reader = Canonicaliser(database, TelegrafMapping.load(), settings.interval_s)
        end = settings.start + np.timedelta64(settings.slots * settings.interval_s * 1000, "ms")
        sync(
            DatabaseSource(reader, since=settings.start, now=end, lookback=np.timedelta64(0, "ms")), folder / "history"
        )
        spent = written - started, time.monotonic() - written
        print(f"{lines:,} lines written in {spent[0]:.0f} s, synced in {spent[1]:.0f} s", flush=True)
    return History.open(folder / "history")


def show(title: str, fleet: Fleet, panels: Panels, topology: Topology) -> list[tuple[str, str]]:
    """One line of the table; returns the first answers."""
    families = {rule.id: rule.family.value for rule in KNOWLEDGE.causes.values()}
    alike = {rule.id: rule.alike for rule in KNOWLEDGE.causes.values()}
    members = {
        host: tuple(entity.id for entity in fleet.topology if entity.group == host)
        for host in {incident.group for incident in fleet.incidents}
    }
    ranked = [ranking(i, panels[i.group], topology, members[i.group]) for i in fleet.incidents]
    verdicts = [judge(r, i, families=families, alike=alike) for r, i in zip(ranked, fleet.incidents, strict=True)]
    s = diagnosis_scores(verdicts)
    print(f"| {title} | {s['incidents']} | {s['ac1_alike']:.3f} | {s['ac3']:.3f} | {s['unknown']:.3f} |", flush=True)
    return [(causes[0].entity, causes[0].id) for causes in ranked]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("seed", 300), ("hosts", 10), ("faults", 40), ("days", 8), ("interval", 300)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    fleet = simulate(
        FleetSettings(
            hosts=given.hosts,
            vms=4 * given.hosts,
            days=given.days,
            faults=given.faults,
            seed=given.seed,
            interval_s=given.interval,
            signatures=True,
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        history = synced(fleet, Path(folder))
        hosts = sorted({incident.group for incident in fleet.incidents})
        panels, topology = of_history(history, hosts), history.topology
    print("| path | incidents | AC@1, look-alikes as one | AC@3 | `unknown` |\n|---|---|---|---|---|")
    direct = show("data set", fleet, of_fleet(fleet), fleet.topology)
    through = show("InfluxDB", fleet, panels, topology)
    bare = Topology.of(e for e in (type(e)(id=e.id, kind=e.kind, parent=e.parent) for e in topology))
    show("InfluxDB, without signatures and labels", fleet, without_signatures(panels), bare)
    same = sum(one == other for one, other in zip(direct, through, strict=True))
    print(f"\nthe same first answer on both paths: {same} of {len(direct)}")
    for one, other, incident in zip(direct, through, fleet.incidents, strict=True):
        if one != other:
            print(
                f"{incident.id} {incident.cause} at {incident.entity}: {one} over the data set, {other} over InfluxDB"
            )


if __name__ == "__main__":
    main()
