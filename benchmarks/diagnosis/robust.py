"""How well causes known by roles survive worse telemetry: less of it, coarser, gaps, and no reaction to learn from.

    python benchmarks/diagnosis/robust.py DATASET

Each row changes what a diagnosis may see of a data set's incidents, the same way for all of them. Weights are learned
with one culprit's name left out at a time on the telemetry as it is, and beside it stands the common prior that
nothing was learned for. ``unknown`` is among the answers. Healthy is the second half of what lies before each incident,
seen through the same telemetry.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from learn import examples_of, without_one

from brownout.diagnosis.evidence.observation import observe
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.inference.weight_learning import PRIOR_WEIGHT, Example, make_example
from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Role
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.evaluate.labelled_incidents import GroupPanels
from brownout.store.dataset import Dataset

Change = Callable[[Panel, Incident], Panel]


def as_it_is(panel: Panel, _: Incident) -> Panel:
    """Nothing changed."""
    return panel


def coarser(factor: int) -> Change:
    """Means over so many slots."""
    return lambda panel, _: panel.coarsen(factor)


def gaps(share: float) -> Change:
    """Samples missing at random, all metrics of an entity at once."""

    def change(panel: Panel, incident: Incident) -> Panel:
        rng = np.random.default_rng(abs(hash((incident.id, panel.entity_ids))) % 2**32)
        gone = rng.random(panel.values.shape[:2]) < share
        return replace(panel, values=np.where(gone[..., None], np.float32(np.nan), panel.values))

    return change


def without(*roles: Role) -> Change:
    """Some roles not measured."""
    return lambda panel, _: panel.select(metrics=[i for i, m in enumerate(panel.metrics) if m.role not in roles])


def seconds(number: float) -> Change:
    """Only so much of the incident."""

    def change(panel: Panel, incident: Incident) -> Panel:
        return panel.between(panel.start, incident.start + np.timedelta64(round(1000 * number), "ms"))

    return change


def short_past(share: float) -> Change:
    """Only the last share of the past."""

    def change(panel: Panel, incident: Incident) -> Panel:
        return panel.between(incident.start - (incident.start - panel.start) * share, panel.end)

    return change


CHANGES: Mapping[str, Change] = {
    "as it is": as_it_is,
    "only the first 60 s": seconds(60),
    "15 s instead of 5 s": coarser(3),
    "30 s": coarser(6),
    "30 % of samples missing": gaps(0.3),
    "a third of the past": short_past(1 / 3),
    "without memory": without(Role.MEMORY),
    "without CPU": without(Role.CPU),
    "without disk": without(Role.DISK_READ, Role.DISK_WRITE),
    "without network": without(Role.NETWORK_IN, Role.NETWORK_OUT),
    "without latency": without(Role.LATENCY),
}


def changed(
    dataset: Dataset, knowledge: Knowledge, causes: list[CauseRule], change: Change
) -> Iterator[tuple[str, Example]]:
    """Name of the culprit and example of all incidents and of the healthy spans before them, seen through a change.

    An incident that shows nothing of its culprit is left out.
    """
    panels = GroupPanels(dataset)
    for incident in dataset.incidents:
        own = [change(panel, incident) for panel in panels[incident.group]]
        end = min(incident.end, max(panel.end for panel in own))
        first = min(panel.start for panel in own)
        spans = (
            (incident.start, end, (incident.entity, incident.cause)),
            (first + (incident.start - first) // 2, incident.start, None),
        )
        for begin, stop, right in spans:
            lookup = EvidenceLookup(
                observe([panel.between(panel.start, stop) for panel in own], begin, stop), dataset.topology
            )
            names = [e.id for e in dataset.topology if e.group == incident.group and lookup.observed.generic(e.id)]
            example = make_example(knowledge, causes, names, lookup, right)
            if example is not None:
                yield incident.entity.rpartition("/")[2], example


def prior(causes: list[CauseRule]) -> np.ndarray:
    """The weights that learning starts from."""
    signs = [-1.0 if rule.role is EvidenceRole.EXCLUDING else 1.0 for cause in causes for rule in cause.evidence]
    return np.array([PRIOR_WEIGHT * sign for sign in signs] + [0.0] * len(causes))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    dataset, knowledge = Dataset.open(parser.parse_args().dataset), Knowledge.load()
    causes = [cause for cause in knowledge.causes.values() if not cause.kind]
    held = without_one(examples_of(dataset, knowledge, causes), causes)
    print(
        "| telemetry | incidents | AC@1 learned | AC@3 learned | healthy given a cause | AC@1 prior | AC@3 prior |"
        "\n|---|---|---|---|---|---|---|"
    )
    for title, change in CHANGES.items():
        found = list(changed(dataset, knowledge, causes, change))
        incidents = [(name, e) for name, e in found if e.right is not None]
        learned = np.array([e.rank(held[name]) for name, e in incidents])
        common = np.array([e.rank(prior(causes)) for _, e in incidents])
        false = np.mean([e.rank(held[name]) is not None for name, e in found if e.right is None] or [np.nan])
        shares = (*((learned <= k).mean() for k in (1, 3)), false, *((common <= k).mean() for k in (1, 3)))
        print(f"| {title} | {len(incidents)} | " + " | ".join(f"{share:.3f}" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
