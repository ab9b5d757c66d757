"""Incidents that meet on one host: whether all causes are named, and one alone is named alone.

    python benchmarks/diagnosis/together.py [--seed 411] [--fleets 3]

Beside 60 % of the incidents another, independent one is simulated. What overlaps is diagnosed over the time that it has
in common, all else over its own span. Look-alikes count as one.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from simulated import panels_of, ranking

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import Cause
from brownout.domain.truth import Incident
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import Fleet

FLEET = FleetSettings(hosts=8, vms=40, days=12, interval_s=120, faults=30, pairs=0.6, signatures=True)


@dataclass(frozen=True)
class Case:
    """Incidents that overlap, and the causes named for them together."""

    truth: tuple[Incident, ...]
    told: tuple[Cause, ...]


def cases(fleet: Fleet, knowledge: Knowledge) -> Iterator[Case]:
    """Each incident once, with those that it meets."""
    done: set[str] = set()
    for one in fleet.incidents:
        met = [i for i in fleet.incidents if i.group == one.group and i.start < one.end and i.end > one.start]
        if one.id in done:
            continue
        done |= {i.id for i in met}
        span = max(i.start for i in met), min(i.end for i in met)
        causes = ranking(fleet, panels_of(fleet, one.group), one.group, span, knowledge)
        yield Case(tuple(met), (causes[0], *(cause for cause in causes if cause.contributing)))


def main() -> None:
    """Print shares over cases of one incident, and of several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=411)
    parser.add_argument("--fleets", type=int, default=3)
    arguments = parser.parse_args()
    knowledge = Knowledge.load()
    alike = {rule.id: {rule.id, *rule.alike} for rule in knowledge.causes.values()}

    def right(cause: Cause, incident: Incident) -> bool:
        return cause.entity == incident.entity and cause.id in alike[incident.cause]

    found: list[Case] = []
    for k in range(arguments.fleets):
        settings = FleetSettings(**(vars(FLEET) | {"seed": arguments.seed + k}))
        found += cases(simulate(settings), knowledge)
    alone, several = [c for c in found if len(c.truth) == 1], [c for c in found if len(c.truth) > 1]
    named = [sum(any(right(t, i) for t in c.told) for i in c.truth) for c in several]
    wrong = sum(any(not any(right(t, i) for i in c.truth) for t in c.told) for c in several)
    full = sum(count == len(case.truth) for count, case in zip(named, several, strict=True))
    print(
        f"{len(several)} cases of several: all named in {full}, one in {sum(map(bool, named))}, a wrong one in {wrong}"
    )
    first, claimed = sum(right(c.told[0], c.truth[0]) for c in alone), sum(len(c.told) > 1 for c in alone)
    print(f"{len(alone)} cases of one: named first in {first}, several claimed in {claimed}")


if __name__ == "__main__":
    main()
