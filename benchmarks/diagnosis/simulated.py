"""The diagnosis on simulated fleets: new seeds, less telemetry, a shifted mix, causes that the knowledge lacks, health.

    python benchmarks/diagnosis/simulated.py [--seed 100]

Each incident is seen through its host's entities and the week before it. The knowledge ships as it is; no weight of it
was learned from simulated incidents.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.diagnosis.inference import Diagnoser
from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.observation import IncidentWindow
from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.panel import Panel
from brownout.evaluation.diagnosis import Verdict, diagnosis_scores, judge
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.faults import load_templates
from brownout.simulation.fleet import Fleet

FLEET = FleetSettings(hosts=16, vms=112, days=16, faults=90, signatures=True)
WEEK = np.timedelta64(7, "D")
LEFT_OUT = 20


def panels_of(fleet: Fleet, host: str) -> list[Panel]:
    """Panels of the entities of one host."""
    rows = {kind: [i for i, e in enumerate(p.entities) if e.group == host] for kind, p in fleet.panels.items()}
    return [panel.select(entities=rows[kind]) for kind, panel in fleet.panels.items() if rows[kind]]


def ranking(
    fleet: Fleet, panels: Sequence[Panel], host: str, span: tuple[np.datetime64, np.datetime64], knowledge: Knowledge
) -> tuple[Cause, ...]:
    """Causes of a span on a host."""
    start, end = span
    members = tuple(entity.id for entity in fleet.topology if entity.group == host)
    window = IncidentWindow(id="i", start=start, end=end, entities=members)
    past = [panel.between(start - WEEK, end) for panel in panels]
    return Diagnoser(knowledge).diagnose(window, past, fleet.topology).causes


def verdicts(settings: FleetSettings, knowledge: Knowledge, whole: Knowledge) -> list[Verdict]:
    """Judge all incidents of a fleet."""
    fleet = simulate(settings)
    hosts = {host: panels_of(fleet, host) for host in {incident.group for incident in fleet.incidents}}
    families = {rule.id: rule.family.value for rule in whole.causes.values()}
    alike = {rule.id: rule.alike for rule in whole.causes.values()}
    return [
        judge(ranking(fleet, hosts[i.group], i.group, (i.start, i.end), knowledge), i, families=families, alike=alike)
        for i in fleet.incidents
    ]


def show(title: str, found: Sequence[Verdict]) -> None:
    """One line."""
    s = diagnosis_scores(found)
    print(
        f"| {title} | {s['incidents']} | {s['ac1_alike']:.3f} | {s['ac3']:.3f} | {s['family_ac1']:.3f} | "
        f"{s['macro_f1']:.3f} | {s['calibration_error']:.3f} | {s['unknown']:.3f} |",
        flush=True,
    )


def healthy(seed: int, knowledge: Knowledge) -> tuple[int, int]:
    """Spans of health that are given a cause, and all of them: one a host and day, 20 minutes to 4 hours long."""
    fleet = simulate(FleetSettings(hosts=8, vms=64, days=14, seed=seed, signatures=True))
    rng = np.random.default_rng(seed)
    named = count = 0
    for host in sorted({entity.group for entity in fleet.topology}):
        panels = panels_of(fleet, host)
        for day in range(7, 14):
            start = fleet.settings.start + np.timedelta64(int(day * 1440 + rng.integers(1200)), "m")
            end = start + np.timedelta64(int(rng.integers(20, 240)), "m")
            named += ranking(fleet, panels, host, (start, end), knowledge)[0].id != UNKNOWN
            count += 1
    return named, count


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    seed = parser.parse_args().seed
    knowledge, rng = Knowledge.load(), np.random.default_rng(seed)
    print("| fleet | incidents | AC@1, look-alikes as one | AC@3 | family | macro-F1 | calibration error | `unknown` |")
    print("|---|---|---|---|---|---|---|---|")
    started = time.monotonic()
    new = [v for k in range(3) for v in verdicts(replace(FLEET, seed=seed + k), knowledge, knowledge)]
    show("new seeds, full telemetry", new)
    shifted = tuple(rng.permutation(list(load_templates()))[:25].tolist())
    show(
        "shifted mix: 25 kinds only", verdicts(replace(FLEET, seed=seed + 3, only_causes=shifted), knowledge, knowledge)
    )
    show("no probe", verdicts(replace(FLEET, seed=seed + 4, telemetry="no-probe"), knowledge, knowledge))
    show("host only", verdicts(replace(FLEET, seed=seed + 5, telemetry="host-only"), knowledge, knowledge))
    out = tuple(rng.permutation([name for name, rule in knowledge.causes.items() if rule.kind])[:LEFT_OUT].tolist())
    unseen = replace(FLEET, seed=seed + 6, only_causes=out)
    missing = verdicts(unseen, knowledge.without(*out), knowledge)
    show("causes that the knowledge lacks", missing)
    show("the same, added back as data", verdicts(unseen, knowledge, knowledge))
    fine = np.mean([v.unknown or v.family == 1 for v in missing])
    named, count = healthy(seed + 7, knowledge)
    print(f"\nlacking: unknown or the family in {fine:.3f}; healthy spans given a cause: {named} of {count}")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
