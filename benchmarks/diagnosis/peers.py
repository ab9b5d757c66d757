"""BARO's robust scorer and a random forest beside the diagnosis, on the same incidents of a data set by roles.

    python benchmarks/diagnosis/peers.py DATASET [--delay SECONDS]

BARO (Pham et al. 2024) ranks metrics by the largest robust deviation within the incident from the median before it, in
interquartile ranges; a metric's entity and role are the answer. The forest learns each entity's surges by role, one
culprit's name left out at a time, as our weights do.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from brownout.diagnosis.evidence.observation import Observations, observe
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.metrics import Family, Role
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.evaluate.labelled_incidents import BASELINE, GroupPanels, window_of
from brownout.store.dataset import Dataset

FAMILY = {
    Role.CPU: "cpu", Role.MEMORY: "memory", Role.DISK_READ: "disk", Role.DISK_WRITE: "disk", Role.NETWORK_IN: "network",
    Role.NETWORK_OUT: "network", Role.LATENCY: "network",
}  # fmt: skip
CLASSES = ("cpu", "memory", "disk", "network", "")
Ranking = list[tuple[str, str]]


def baro(panels: list[Panel], incident: Incident, delay: float) -> Ranking:
    """(entity, family) by BARO's robust scorer, best first, each once."""
    start = incident.start + np.timedelta64(round(delay * 1000), "ms")
    scored: list[tuple[float, str, str]] = []
    for panel in panels:
        before, within = panel.between(panel.start, start).values, panel.between(start, panel.end).values
        for row, column in zip(
            *np.nonzero(np.isfinite(before).any(axis=1) & np.isfinite(within).any(axis=1)), strict=True
        ):
            family = FAMILY.get(panel.metrics[column].role)
            if family is None:
                continue
            low, middle, high = np.nanquantile(before[row, :, column], (0.25, 0.5, 0.75))
            score = np.nanmax(np.abs(within[row, :, column] - middle)) / (high - low or 1.0)
            scored.append((float(score), panel.entity_ids[row], family))
    return list(dict.fromkeys((entity, family) for _, entity, family in sorted(scored, reverse=True)))


def features(observed: Observations, entity: str) -> np.ndarray:
    """Whole and early surge of an entity by role, and the largest elsewhere."""

    def surge(name: str, role: Role, which: str) -> float:
        found = [o.surge for o in observed.by_role(name, (role,)) if o.surge is not None]
        return max((getattr(s, which) for s in found), default=0.0)

    own = [surge(entity, role, which) for role in FAMILY for which in ("whole", "early")]
    rest = [max((surge(e, role, "whole") for e in observed.entities if e != entity), default=0.0) for role in FAMILY]
    return np.array(own + rest)


def forest(scenes: list[tuple[Incident, Observations]]) -> Iterator[Ranking]:
    """(entity, family) by a random forest over single entities, one culprit's name left out at a time."""
    tables = [(i, [e for e in o.entities if o.generic(e)], o) for i, o in scenes]
    blocks = [np.array([features(o, e) for e in names]) for _, names, o in tables]
    truths = [[i.cause if e == i.entity else "" for e in names] for i, names, _ in tables]
    culprit = [i.entity.rpartition("/")[2] for i, _ in scenes]
    for place, (_, names, _) in enumerate(tables):
        seen = [k for k in range(len(scenes)) if culprit[k] != culprit[place]]
        model = RandomForestClassifier(100, class_weight="balanced", random_state=0)
        model.fit(np.vstack([blocks[k] for k in seen]), [t for k in seen for t in truths[k]])
        shares = model.predict_proba(blocks[place])
        scored = [
            (float(shares[row, column]), entity, str(name))
            for row, entity in enumerate(names)
            for column, name in enumerate(model.classes_)
            if name
        ]
        yield [(entity, name) for _, entity, name in sorted(scored, reverse=True)]


def ours(dataset: Dataset, diagnoser: Diagnoser, panels: list[Panel], incident: Incident, delay: float) -> Ranking:
    """(entity, family) of the diagnosis as it ships; an abstention takes its place."""
    window = window_of(incident, dataset, delay)
    past = [panel.between(window.start - BASELINE, window.end) for panel in panels]
    causes = diagnoser.diagnose(window, past, dataset.topology).causes
    return [(cause.entity, cause.family) for cause in causes]


def main() -> None:
    """Print AC@1 and AC@3 of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    arguments = parser.parse_args()
    dataset, delay = Dataset.open(arguments.dataset), arguments.delay
    assert {i.cause for i in dataset.incidents} <= {family.value for family in Family}
    panels, diagnoser = GroupPanels(dataset), Diagnoser(Knowledge.load())
    scenes = []
    for incident in dataset.incidents:
        window = window_of(incident, dataset, delay)
        past = [panel.between(window.start - BASELINE, window.end) for panel in panels[incident.group]]
        scenes.append((incident, observe(past, window.start, window.end)))
    rankings = {
        "BARO's robust scorer": [
            baro([p.between(p.start, i.end) for p in panels[i.group]], i, delay) for i, _ in scenes
        ],
        "random forest, held out": list(forest(scenes)),
        "brownout as shipped": [ours(dataset, diagnoser, panels[i.group], i, delay) for i, _ in scenes],
    }
    for title, found in rankings.items():
        truths = [(incident.entity, incident.cause) for incident, _ in scenes]
        first, three = (np.mean([t in r[:k] for t, r in zip(truths, found, strict=True)]) for k in (1, 3))
        print(f"{title}, {delay:.0f} s late: AC@1 {first:.3f}, AC@3 {three:.3f}")


if __name__ == "__main__":
    main()
