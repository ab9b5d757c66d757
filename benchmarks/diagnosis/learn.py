"""Learn the weights of the causes that are known by roles from labelled incidents, and judge them held out.

    python benchmarks/diagnosis/learn.py DATASET [--write]

Leaves one culprit's name out at a time: weights learned on the incidents of all other names, and on the healthy spans
before them, rank the incidents and spans of this one, at each delay. With --write the weights learned on everything
become models/knowledge/learned.toml.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brownout.diagnosis.evidence.observation import observe
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.inference.weight_learning import Example, Learned, learn, make_example
from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.panel import Panel
from brownout.evaluate.labelled_incidents import BASELINE, GroupPanels, window_of
from brownout.store.dataset import Dataset

DELAYS = (0.0, 60.0, 90.0)
"""Seconds that detection comes late; learning sees them all."""
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


def weights_of(learned: Learned, causes: list[CauseRule]) -> np.ndarray:
    """The learned weights in the order of an example's columns."""
    weights = [learned.weights[cause.id, rule.name] for cause in causes for rule in cause.evidence]
    return np.array(weights + [learned.priors[cause.id] for cause in causes])


def without_one(told: Mapping[str, Told], causes: list[CauseRule]) -> dict[str, np.ndarray]:
    """Weights by name that never saw an incident of that name."""
    return {
        out: weights_of(learn([e for name, own in told.items() if name != out for e in own.all()], causes), causes)
        for out in told
    }


def held_out(told: Mapping[str, Told], causes: list[CauseRule]) -> None:
    """Print AC@1 and AC@3 by delay with ``unknown`` among the answers, and the healthy spans given a cause."""
    weights = without_one(told, causes)
    for delay in DELAYS:
        ranks = np.array([e.rank(weights[name]) for name, own in told.items() for e in own.incidents[delay]])
        first, three = (np.mean(ranks <= k) for k in (1, 3))
        print(f"delay {delay:3.0f} s: {len(ranks)} incidents, AC@1 {first:.3f}, AC@3 {three:.3f}")
    named = [e.rank(weights[name]) is not None for name, own in told.items() for e in own.healthy]
    print(f"healthy: {len(named)} spans, {np.mean(named):.3f} given a cause")


def write(learned: Learned, path: Path, source: str) -> None:
    """Write learned.toml."""
    lines = [
        "# Weights that were learned from labelled incidents: python benchmarks/diagnosis/learn.py DATASET --write",
        f"# Learned from {source}, at detection delays of {', '.join(f'{d:.0f}' for d in DELAYS)} s and healthy spans.",
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
    held_out(told, causes)
    if arguments.write:
        learned = learn([e for own in told.values() for e in own.all()], causes)
        write(learned, ROOT / "models" / "knowledge" / "learned.toml", dataset.name)


if __name__ == "__main__":
    main()
