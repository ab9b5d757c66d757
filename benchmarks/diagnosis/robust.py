"""How well causes known by roles survive worse telemetry: less of it, coarser, gaps, and no reaction to learn from.

    python benchmarks/diagnosis/robust.py DATASET

Each row changes what a diagnosis may see of a data set's incidents, the same way for all of them. Weights are learned
with one culprit's name left out at a time on the telemetry as it is, and beside it stands the common prior that
nothing was learned for. Healthy spans lie in each group before its first incident.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from learn import examples_of, weights_of

from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.learning import PRIOR_WEIGHT, Example, learn, make_example
from brownout.diagnosis.observation import observe
from brownout.diagnosis.rules import CauseRule
from brownout.diagnosis.scene import Scene
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Role
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.telemetry.dataset import Dataset
from brownout.usecases.incidents import GroupPanels

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


def changed(dataset: Dataset, knowledge: Knowledge, causes: list[CauseRule], change: Change) -> Iterator[Example]:
    """Examples of all incidents, seen through a change; one that shows nothing of its culprit is left out."""
    panels = GroupPanels(dataset)
    for incident in dataset.incidents:
        own = [change(panel, incident) for panel in panels[incident.group]]
        end = min(incident.end, max(panel.end for panel in own))
        scene = Scene(observe(own, incident.start, end), dataset.topology)
        names = [e.id for e in dataset.topology if e.group == incident.group and scene.observed.generic(e.id)]
        example = make_example(knowledge, causes, names, scene, (incident.entity, incident.cause))
        if example is not None:
            yield example


def prior(causes: list[CauseRule]) -> np.ndarray:
    """The weights that learning starts from."""
    signs = [-1.0 if rule.role is EvidenceRole.EXCLUDING else 1.0 for cause in causes for rule in cause.evidence]
    return np.array([PRIOR_WEIGHT * sign for sign in signs] + [0.0] * len(causes))


def rank(example: Example, weights: np.ndarray) -> int:
    """Place of the right answer."""
    scores = example.strengths @ weights
    return int((scores > scores[example.right]).sum()) + 1


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    dataset, knowledge = Dataset.open(parser.parse_args().dataset), Knowledge.load()
    causes = [cause for cause in knowledge.causes.values() if not cause.kind]
    plain = examples_of(dataset, knowledge, causes)
    names = sorted({name for by_name in plain.values() for name in by_name})
    held = {
        name: weights_of(
            learn([e for t in plain.values() for n, own in t.items() if n != name for e in own], causes), causes
        )
        for name in names
    }
    print(
        "| telemetry | incidents | AC@1 learned | AC@3 learned | AC@1 prior | AC@3 prior |\n|---|---|---|---|---|---|"
    )
    for title, change in CHANGES.items():
        found = list(changed(dataset, knowledge, causes, change))
        learned = [rank(e, held[e.names[e.right][0].rpartition("/")[2]]) for e in found]
        common = [rank(e, prior(causes)) for e in found]
        shares = [np.mean(np.array(ranks) <= k) for ranks in (learned, common) for k in (1, 3)]
        print(f"| {title} | {len(found)} | " + " | ".join(f"{share:.3f}" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
