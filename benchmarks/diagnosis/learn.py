"""Learn the weights of the causes that are known by roles from labelled incidents, and judge them held out.

    python benchmarks/diagnosis/learn.py DATASET [--write]

Leaves one culprit's name out at a time: weights learned on the incidents of all other names rank the incidents of this
one, at each delay. With --write the weights learned on everything become models/knowledge/learned.toml.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.diagnosis.inference import Weights
from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.learning import Example, Learned, learn, make_example
from brownout.diagnosis.observation import observe
from brownout.diagnosis.rules import CauseRule
from brownout.diagnosis.scene import Scene
from brownout.telemetry.dataset import Dataset
from brownout.usecases.incidents import BASELINE, GroupPanels, window_of

DELAYS = (0.0, 60.0, 90.0)
"""Seconds that detection comes late; learning sees them all."""
FEW, MARGIN = 0.02, 1.0
"""Share of the incidents that may be less than e times as likely as unknown."""
ROOT = Path(__file__).parents[2]


def examples_of(
    dataset: Dataset, knowledge: Knowledge, causes: list[CauseRule]
) -> dict[float, dict[str, list[Example]]]:
    """Examples by delay and name of the culprit, without its group."""
    found: dict[float, dict[str, list[Example]]] = {delay: defaultdict(list) for delay in DELAYS}
    panels = GroupPanels(dataset)
    for incident in dataset.incidents:
        for delay in DELAYS:
            window = window_of(incident, dataset, delay)
            past = [panel.between(window.start - BASELINE, window.end) for panel in panels[incident.group]]
            scene = Scene(observe(past, window.start, window.end), dataset.topology)
            entities = [entity for entity in window.entities if scene.observed.generic(entity)]
            example = make_example(knowledge, causes, entities, scene, (incident.entity, incident.cause))
            if example is not None:
                found[delay][incident.entity.rpartition("/")[2]].append(example)
    return found


def weights_of(learned: Learned, causes: list[CauseRule]) -> np.ndarray:
    """The learned weights in the order of an example's columns."""
    weights = [learned.weights[cause.id, rule.name] for cause in causes for rule in cause.evidence]
    return np.array(weights + [learned.priors[cause.id] for cause in causes])


def held_out(examples: dict[float, dict[str, list[Example]]], causes: list[CauseRule]) -> None:
    """Print AC@1 and AC@3 by delay, each name judged by weights that never saw it."""
    names = sorted({name for by_name in examples.values() for name in by_name})
    ranks: dict[float, list[int]] = {delay: [] for delay in DELAYS}
    for left_out in names:
        seen = [e for by_name in examples.values() for name, own in by_name.items() if name != left_out for e in own]
        weights = weights_of(learn(seen, causes), causes)
        for delay in DELAYS:
            for example in examples[delay][left_out]:
                scores = example.strengths @ weights
                ranks[delay].append(int((scores > scores[example.right]).sum()) + 1)
    for delay, found in ranks.items():
        first, three = (np.mean(np.array(found) <= k) for k in (1, 3))
        print(f"delay {delay:3.0f} s: {len(found)} incidents, AC@1 {first:.3f}, AC@3 {three:.3f}")


def cautious(learned: Learned, examples: list[Example], causes: list[CauseRule]) -> Learned:
    """Lower all priors together until only one incident in fifty is hardly likelier than ``unknown``.

    Competing with each other, candidates say nothing about how likely they are at all; this does.
    """
    weights = weights_of(learned, causes)
    right = np.quantile([float(example.strengths[example.right] @ weights) for example in examples], FEW)
    shift = max(float(right) - Weights().unknown - MARGIN, 0.0)
    return replace(learned, priors={cause: prior - shift for cause, prior in learned.priors.items()})


def write(learned: Learned, path: Path, source: str) -> None:
    """Write learned.toml."""
    lines = [
        "# Weights that were learned from labelled incidents: python benchmarks/diagnosis/learn.py DATASET --write",
        f"# Learned from {source}, at detection delays of {', '.join(f'{d:.0f}' for d in DELAYS)} s.",
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
    examples = examples_of(dataset, knowledge, causes)
    held_out(examples, causes)
    everything = [e for by_name in examples.values() for own in by_name.values() for e in own]
    learned = cautious(learn(everything, causes), everything, causes)
    if arguments.write:
        write(learned, ROOT / "models" / "knowledge" / "learned.toml", dataset.name)


if __name__ == "__main__":
    main()
