"""The diagnosis on simulated fleets: new seeds, less telemetry, a shifted mix, causes that the knowledge lacks, health.

    python benchmarks/diagnosis/simulated.py [--seed 100] [--delay 0]

Each incident is seen through its host's entities and the week before it. The knowledge ships as it is; no weight of it
was learned from simulated incidents. Beside it BARO's robust scorer ranks the incidents of the new seeds, and a random
forest over the strengths of all symptoms, trained on the other fleets with full telemetry.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from simulated_peers import Scored, baro, forest, strengths

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.evaluation.diagnosis_scores import Verdict, answers, diagnosis_scores, judge
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import Fleet
from brownout.simulation.simulation_definitions import SimulationDefinitions

FLEET = FleetSettings(hosts=10, vms=60, days=12, interval_s=120, faults=70, signatures=True)
WEEK = np.timedelta64(7, "D")
LEFT_OUT = 20


@dataclass(frozen=True)
class Case:
    """An incident, what was answered, and what the peers need."""

    incident: Incident
    causes: tuple[Cause, ...]
    baro: Sequence[tuple[str, str]] = ()
    scored: Scored | None = None


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


def cases(settings: FleetSettings, knowledge: Knowledge, delay: np.timedelta64, *, peers: bool = False) -> list[Case]:
    """All incidents of a fleet."""
    fleet = simulate(settings)
    hosts = {host: panels_of(fleet, host) for host in {incident.group for incident in fleet.incidents}}
    found = []
    for one in fleet.incidents:
        start = min(one.start + delay, one.end)
        causes = ranking(fleet, hosts[one.group], one.group, (start, one.end), knowledge)
        past = [panel.between(start - WEEK, one.end) for panel in hosts[one.group]] if peers else []
        found.append(
            Case(
                one,
                causes,
                baro(past, start) if peers else (),
                strengths(past, one, start, fleet.topology, knowledge) if peers else None,
            )
        )
    return found


class Judge:
    """Judges with families and look-alikes of the whole knowledge."""

    def __init__(self, whole: Knowledge) -> None:
        self.families = {rule.id: rule.family.value for rule in whole.causes.values()}
        self.alike = {rule.id: rule.alike for rule in whole.causes.values()}

    def verdicts(self, found: Sequence[Case]) -> list[Verdict]:
        """One for each case."""
        return [judge(c.causes, c.incident, families=self.families, alike=self.alike) for c in found]

    def show(self, title: str, found: Sequence[Case]) -> list[Verdict]:
        """One line of the table."""
        verdicts = self.verdicts(found)
        s = {key: float("nan") if value is None else value for key, value in diagnosis_scores(verdicts).items()}
        print(
            f"| {title} | {s['incidents']} | {s['ac1_alike']:.3f} | {s['ac3_alike']:.3f} | {s['family_ac1']:.3f} | "
            f"{s['macro_f1']:.3f} | {s['calibration_error']:.3f} | {s['unknown']:.3f} |",
            flush=True,
        )
        for case, verdict in zip(found, verdicts, strict=True):
            if verdict.alike != 1:
                first = case.causes[0]
                print(f"    {case.incident.cause} at {case.incident.entity}: {first.id} at {first.entity}", flush=True)
        return verdicts

    def peers(self, new: Sequence[Sequence[Case]], more: Sequence[Case]) -> None:
        """The same incidents by all: (entity, family), and (entity, cause) where causes are answered."""
        rows: dict[str, list[tuple[int | None, int | None]]] = {"BARO": [], "random forest": [], "brownout": []}
        for place, fleet in enumerate(new):
            others = [c.scored for part in (*new[:place], *new[place + 1 :], more) for c in part if c.scored]
            for case, by_forest in zip(fleet, forest(others, [c.scored for c in fleet if c.scored]), strict=True):
                mine = [(cause.entity, cause.id) for cause in case.causes]
                coarse = [(c.entity, c.id) for c in answers(case.causes, coarse=True)]
                rows["BARO"].append((None, self._family(case, case.baro)))
                rows["random forest"].append(
                    (self._cause(case, by_forest), self._family(case, self._coarse(by_forest)))
                )
                rows["brownout"].append((self._cause(case, mine), self._family(case, coarse)))
        print("\n| ranked by | (entity, cause) AC@1 | AC@3 | (entity, family) AC@1 | AC@3 |\n|---|---|---|---|---|")
        for title, ranks in rows.items():
            shares = [
                np.mean([pair[kind] is not None and pair[kind] <= k for pair in ranks])
                for kind in (0, 1)
                for k in (1, 3)
            ]
            print(f"| {title} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")

    def _cause(self, case: Case, ranked: Sequence[tuple[str, str]]) -> int | None:
        names = {case.incident.cause, *self.alike[case.incident.cause]}
        return next((k for k, (e, c) in enumerate(ranked, 1) if e == case.incident.entity and c in names), None)

    def _family(self, case: Case, ranked: Sequence[tuple[str, str]]) -> int | None:
        right = case.incident.entity, self.families[case.incident.cause]
        return next((k for k, answer in enumerate(ranked, 1) if answer == right), None)

    def _coarse(self, ranked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return list(dict.fromkeys((entity, self.families[cause]) for entity, cause in ranked))


def healthy(seed: int, knowledge: Knowledge) -> tuple[int, int]:
    """Spans of health that are given a cause, and all of them: one a host and day, 20 minutes to 4 hours long."""
    fleet = simulate(FleetSettings(hosts=8, vms=64, days=14, interval_s=120, seed=seed, signatures=True))
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
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--delay", type=int, default=0, help="seconds that detection comes late")
    given = parser.parse_args()
    seed, delay = given.seed, np.timedelta64(given.delay * 1000, "ms")
    knowledge, rng = Knowledge.load(), np.random.default_rng(seed)
    judging, started = Judge(knowledge), time.process_time()

    def of(number: int, known: Knowledge = knowledge, **changes: object) -> list[Case]:
        settings = replace(FLEET, seed=seed + number, **changes)  # type: ignore[arg-type]
        return cases(settings, known, delay, peers="telemetry" not in changes)

    print("| fleet | incidents | AC@1, look-alikes as one | AC@3 | family | macro-F1 | calibration error | `unknown` |")
    print("|---|---|---|---|---|---|---|---|")
    new = [of(k) for k in range(3)]
    judging.show("new seeds, full telemetry", [case for part in new for case in part])
    shifted = of(3, only_causes=tuple(rng.permutation(list(SimulationDefinitions.load().faults))[:25].tolist()))
    judging.show("shifted mix: 25 kinds only", shifted)
    judging.show("no probe", of(4, telemetry="no-probe"))
    judging.show("host only", of(5, telemetry="host-only"))
    out = tuple(rng.permutation([name for name, rule in knowledge.causes.items() if rule.kind])[:LEFT_OUT].tolist())
    missing = judging.show(f"{LEFT_OUT} causes taken out", of(6, knowledge.without(*out), only_causes=out))
    judging.show("the same, added back as data", of(6, only_causes=out))
    judging.peers(new, shifted)
    fine = np.mean([v.unknown or v.family == 1 for v in missing])
    named, count = healthy(seed + 7, knowledge)
    print(f"\nlacking: unknown or the family in {fine:.3f}; healthy spans given a cause: {named} of {count}")
    print(f"{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
