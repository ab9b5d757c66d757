"""Learn the weights of the causes that are known by roles from labelled incidents, and judge them held out.

    python benchmarks/diagnosis/learn.py DATASET [--write]

Leaves one culprit's name out at a time: weights learned on the incidents of all other names, and on the healthy spans
before them, rank the incidents and spans of this one, at each delay (negative: detection that is early). Systems of
``role_systems.py`` are learned from in each case, so that no data set's habits decide alone; weights learned on them
only are judged as well, and so are other systems of the same kinds. With --write the weights learned on everything
become models/knowledge/learned.toml.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from role_systems import SYSTEMS, Scene, scenes

from brownout.diagnosis.evidence.observation import observe
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.inference.weight_learning import Example, Learned, learn, make_example
from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.panel import Panel
from brownout.evaluate.labelled_incidents import BASELINE, GroupPanels, window_of
from brownout.store.dataset import Dataset

DELAYS = (0.0, 60.0, -60.0)
"""Seconds that detection comes late; learning sees them all."""
SEEDS = (5000, 9000)
"""First seeds of the systems that are learned from, and of those that judge."""
COUNT = 40
"""Systems of each kind."""
HEALTHY = ((1 / 2, 1.0), (2 / 3, 1.0), (1 / 2, 3 / 4))
"""Spans before an incident that are healthy, as shares of all that was measured before it."""
ROOT = Path(__file__).parents[2]
Span = tuple[np.datetime64, np.datetime64]


@dataclass(frozen=True)
class Told:
    """Examples of one culprit's name: incidents by delay, and healthy spans."""

    incidents: dict[float, list[Example]] = field(default_factory=lambda: {delay: [] for delay in DELAYS})
    healthy: list[Example] = field(default_factory=list)

    def all(self) -> Iterator[Example]:
        """Everything to learn from."""
        yield from self.healthy
        for found in self.incidents.values():
            yield from found


def examples_of(dataset: Dataset, knowledge: Knowledge, causes: list[CauseRule]) -> Mapping[str, Told]:
    """Examples by name of the culprit, without its group."""
    told: dict[str, Told] = defaultdict(Told)
    panels = GroupPanels(dataset)
    for incident in dataset.incidents:
        own = panels[incident.group]
        entities = window_of(incident, dataset, 0).entities
        name = told[incident.entity.rpartition("/")[2]]

        def example(
            span: Span,
            right: tuple[str, str] | None,
            own: list[Panel] = own,
            entities: tuple[str, ...] = entities,
        ) -> list[Example]:
            past = [panel.between(span[0] - BASELINE, span[1]) for panel in own]
            lookup = EvidenceLookup(observe(past, *span), dataset.topology)
            carriers = [entity for entity in entities if lookup.observed.generic(entity)]
            found = make_example(knowledge, causes, carriers, lookup, right)
            return [] if found is None else [found]

        for delay in DELAYS:
            window = window_of(incident, dataset, delay)
            name.incidents[delay].extend(example((window.start, window.end), (incident.entity, incident.cause)))
        first = min(panel.start for panel in own)
        for begin, end in HEALTHY:
            span = first + (incident.start - first) * begin, first + (incident.start - first) * end
            name.healthy.extend(example(span, None))
    return told


def examples_of_systems(seed: int, knowledge: Knowledge, causes: list[CauseRule]) -> Mapping[str, Told]:
    """Examples of made-up systems by their kind."""
    told: dict[str, Told] = {}
    for title, kind in SYSTEMS.items():
        told[title] = Told()
        for scene in scenes(kind, COUNT, seed):
            for delay in DELAYS:
                start = scene.incident.start + np.timedelta64(round(delay * 1000), "ms")
                told[title].incidents[delay].extend(_of_scene(scene, (start, scene.incident.end), knowledge, causes))
            first, before = scene.panels[0].start, scene.incident.start - scene.panels[0].start
            for begin, end in HEALTHY:
                span = first + before * begin, first + before * end
                told[title].healthy.extend(_of_scene(scene, span, knowledge, causes, healthy=True))
    return told


def _of_scene(
    scene: Scene, span: Span, knowledge: Knowledge, causes: list[CauseRule], *, healthy: bool = False
) -> list[Example]:
    lookup = EvidenceLookup(observe([p.between(p.start, span[1]) for p in scene.panels], *span), scene.topology)
    right = None if healthy else (scene.incident.entity, scene.incident.cause)
    found = make_example(knowledge, causes, [e for e in scene.entities if lookup.observed.generic(e)], lookup, right)
    return [] if found is None else [found]


def weights_of(learned: Learned, causes: list[CauseRule]) -> np.ndarray:
    """The learned weights in the order of an example's columns."""
    weights = [learned.weights[cause.id, rule.name] for cause in causes for rule in cause.evidence]
    return np.array(weights + [learned.priors[cause.id] for cause in causes])


def without_one(
    told: Mapping[str, Told], causes: list[CauseRule], also: Sequence[Example] = ()
) -> dict[str, np.ndarray]:
    """Weights by name that never saw an incident of that name."""
    return {
        out: weights_of(
            learn([*(e for name, own in told.items() if name != out for e in own.all()), *also], causes), causes
        )
        for out in told
    }


def judge(title: str, told: Mapping[str, Told], weights: Mapping[str, np.ndarray]) -> None:
    """Print AC@1 and AC@3 by delay with ``unknown`` among the answers, and the healthy spans given a cause."""
    parts = []
    for delay in DELAYS:
        ranks = np.array([e.rank(weights[name]) for name, own in told.items() for e in own.incidents[delay]])
        first, three = (np.mean(ranks <= k) for k in (1, 3))
        parts.append(f"{first:.3f} / {three:.3f}")
    named = [e.rank(weights[name]) is not None for name, own in told.items() for e in own.healthy]
    print(f"| {title} | {len(ranks)} | {' | '.join(parts)} | {np.mean(named):.3f} of {len(named)} |", flush=True)


def write(learned: Learned, path: Path, source: str) -> None:
    """Write learned.toml."""
    lines = [
        "# Weights that were learned from labelled incidents: python benchmarks/diagnosis/learn.py DATASET --write",
        f"# Learned from {source} and role_systems.py, detection late by {DELAYS} s, and from healthy spans.",
        "# prior: relative to the other causes; weights: log-odds at full strength, by symptom and place.",
    ]
    for cause, table in learned.tables().items():
        lines += ["", f"[learned.{cause}]", f"prior = {table['prior']:.4g}", f"[learned.{cause}.weights]"]
        lines += [f'"{name}" = {weight:.3f}' for name, weight in table["weights"].items()]  # type: ignore[attr-defined]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Learn, judge, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    dataset, knowledge = Dataset.open(arguments.dataset), Knowledge.load()
    causes = [cause for cause in knowledge.causes.values() if not cause.kind]
    told = examples_of(dataset, knowledge, causes)
    systems, others = (examples_of_systems(seed, knowledge, causes) for seed in SEEDS)
    made = [e for own in systems.values() for e in own.all()]
    everything = learn([*(e for own in told.values() for e in own.all()), *made], causes)
    print(f"| judged on | incidents | {' | '.join(f'{d:.0f} s late' for d in DELAYS)} | healthy given a cause |")
    print("|---|---|" + "---|" * (len(DELAYS) + 1))
    held, never = without_one(told, causes, made), weights_of(learn(made, causes), causes)
    judge(f"{dataset.name}, its name left out", told, held)
    judge(f"{dataset.name}, made-up systems alone learned from", told, dict.fromkeys(told, never))
    for name, own in told.items():
        judge(f"{name} left out", {name: own}, held)
    for title, own in others.items():
        judge(f"other systems, {title}", {title: own}, {title: weights_of(everything, causes)})
    if arguments.write:
        write(everything, ROOT / "models" / "knowledge" / "learned.toml", dataset.name)


if __name__ == "__main__":
    main()
