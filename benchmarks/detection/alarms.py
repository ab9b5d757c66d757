"""Alarms of simulated fleets: what the episodes of a detector become once artefacts are told from faults.

``python benchmarks/detection/alarms.py FLEET...`` with folders of ``brownout simulate``: trains on the first quarter,
searches the rest, groups, diagnoses, and counts incidents (groups of episodes of related entities) against the truth.
"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from brownout.detection.attribution import explained
from brownout.detection.episodes import episodes
from brownout.detection.forest import IsolationForestDetector
from brownout.detection.outliers import outliers
from brownout.detection.rules import load_rules, with_rules
from brownout.diagnosis.artefacts import sift
from brownout.diagnosis.core import LEAST_SLOTS, diagnose_phases
from brownout.diagnosis.grouping import group_episodes
from brownout.diagnosis.inference import Diagnoser
from brownout.diagnosis.knowledge import Knowledge
from brownout.diagnosis.observation import IncidentWindow
from brownout.domain.findings import Episode, Quiet
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.grid import plan_shards, read_shard

LEARNED = 0.25
AFTER = np.timedelta64(30, "m")
"""What begins so soon after an incident is its aftermath."""
BASELINE = np.timedelta64(7, "D")


def main(folders: Sequence[str]) -> None:
    """Print one line of JSON for each fleet."""
    for folder in folders:
        dataset = Dataset.open(Path(folder))
        panels = [read_shard(dataset, plan).panel for plan in plan_shards(dataset)]
        first = panels[0].start + (panels[0].end - panels[0].start) * LEARNED
        found = search(panels, first)
        print(json.dumps({"fleet": folder, **judge(dataset, found, *alarms(dataset, panels, found), first)}))


def search(panels: Sequence[Panel], first: np.datetime64) -> list[Episode]:
    """Episodes from ``first`` on, by a detector that has learned what lies before."""
    detector = IsolationForestDetector().fit([panel.between(panel.start, first) for panel in panels])
    found: list[Episode] = []
    for panel in panels:
        scores = detector.score(panel, panel.slot(first))
        found += with_rules(explained(episodes(scores, panel), scores, panel, detector), panel, load_rules())
    return found


def alarms(
    dataset: Dataset, panels: Sequence[Panel], found: Sequence[Episode]
) -> tuple[list[IncidentWindow], list[Quiet]]:
    """Incidents that are alarmed, and the episodes that are not."""
    diagnoser, kept = Diagnoser(Knowledge.load()), list[IncidentWindow]()
    own = {name: panel for panel in panels for name in panel.entity_ids}
    quiet = [one for episode in found for one in outliers([episode], own[episode.entity])]
    lone = {one.episode.id for one in quiet}
    for window in group_episodes([episode for episode in found if episode.id not in lone], dataset.topology):
        seen = [part(panel, window) for panel in panels]
        diagnose = partial(diagnose_phases, diagnoser, panels=seen, topology=dataset.topology)
        sifted = sift(window, diagnose, diagnoser.knowledge, dataset.topology)
        kept += sifted.windows
        quiet += sifted.quiet
    return kept, quiet


def part(panel: Panel, window: IncidentWindow) -> Panel:
    """The entities of an incident, from their past to its end."""
    rows = [row for row, name in enumerate(panel.entity_ids) if name in set(window.entities)]
    return panel.select(entities=rows).between(window.start - BASELINE, window.end + LEAST_SLOTS * panel.step)


def judge(
    dataset: Dataset,
    found: Sequence[Episode],
    kept: Sequence[IncidentWindow],
    quiet: Sequence[Quiet],
    first: np.datetime64,
) -> dict[str, object]:
    """Counts against the truth, and what is false a guest and day."""
    root = dataset.topology.root
    truth = [incident for incident in dataset.incidents if incident.start >= first]
    artefacts = [incident for incident in truth if incident.cause.startswith("ART")]
    faults = [incident for incident in truth if not incident.cause.startswith("ART")]
    alarmed = [episode for window in kept for episode in window.episodes]

    def near(incident: Incident, episode: Episode) -> bool:
        same = root(incident.entity) == root(episode.entity)
        return bool(same and episode.start < incident.end + AFTER and episode.end > incident.start)

    def seen(incidents: Sequence[Incident], among: Sequence[Episode]) -> int:
        return sum(any(near(incident, episode) for episode in among) for incident in incidents)

    def false(among: Sequence[Sequence[Episode]], excused: Sequence[Incident]) -> int:
        return sum(not any(near(i, e) for i in excused for e in members) for members in among)

    guests = sum(entity.kind == "vm" for entity in dataset.topology)
    days = float((max(span.last for span in dataset.spans().values()) - first) / np.timedelta64(86_400_000, "ms"))
    groups = [window.episodes for window in group_episodes(found, dataset.topology)]
    kept_groups = [window.episodes for window in kept]
    return {
        "faults": len(faults),
        "faults_seen": seen(faults, found),
        "faults_alarmed": seen(faults, alarmed),
        "artefacts": len(artefacts),
        "artefacts_seen": seen(artefacts, found),
        "artefacts_alarmed": seen(artefacts, alarmed),
        "episodes": len(found),
        "quiet": len(quiet),
        "false_groups_before": false(groups, faults),
        "false_groups_after": false(kept_groups, faults),
        "before_per_guest_day": round(false(groups, faults) / guests / days, 4),
        "after_per_guest_day": round(false(kept_groups, faults) / guests / days, 4),
        "episodes_before_per_guest_day": round(false([[e] for e in found], faults) / guests / days, 4),
        "episodes_after_per_guest_day": round(false([[e] for e in alarmed], faults) / guests / days, 4),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
