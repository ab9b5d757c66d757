"""Newcomers: false episodes of guests in their first day, and faults seen in it, with and without the past of peers.

``python benchmarks/detection/cold_start.py CALM FAULTY`` with two folders of ``brownout simulate``: the first without,
the second with faults. Every second guest and console of the calm fleet forgets all but its last two days; each guest
of the faulty fleet that has a fault forgets what lies more than two hours before it.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.detection.baseline.newcomers import with_peer_history, without_peer_slots
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import Episode
from brownout.domain.panel import Panel
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

LEARNED = 0.25
DAY = np.timedelta64(1, "D")
HEAD_START = np.timedelta64(2, "h")
KINDS = ("vm", "console")


def main(calm: str, faulty: str) -> None:
    """Print one line of JSON for each fleet and way."""
    for folder, judge in ((calm, false_episodes), (faulty, faults_seen)):
        dataset = Dataset.open(Path(folder))
        panels = [read_shard(dataset, plan).panel for plan in plan_shards(dataset)]
        panels = [panel for panel in panels if panel.entities[0].kind in KINDS]
        first = panels[0].start + (panels[0].end - panels[0].start) * LEARNED
        detector = IsolationForestDetector().fit([panel.between(panel.start, first) for panel in panels])
        for lent in (False, True):
            print(json.dumps({"fleet": folder, "peers": lent, **judge(dataset, panels, detector, lent=lent)}))


def false_episodes(
    dataset: Dataset, panels: list[Panel], detector: IsolationForestDetector, *, lent: bool
) -> dict[str, object]:
    """Episodes that begin within the first day, a newcomer."""
    del dataset
    counts = {}
    for panel in panels:
        born = panel.slot(panel.end - 2 * DAY)
        new = dict.fromkeys(range(0, len(panel.entities), 2), born)
        found = search(panel, detector, new, lent=lent)
        until = panel.times[born] + DAY
        counts[panel.entities[0].kind] = round(sum(e.start < until for e in found) / len(new), 3)
    return {"false_episodes_a_newcomer_in_its_first_day": counts}


def faults_seen(
    dataset: Dataset, panels: list[Panel], detector: IsolationForestDetector, *, lent: bool
) -> dict[str, object]:
    """Faults of guests that a newcomer or its console shows within the fault."""
    seen = total = 0
    for incident in dataset.incidents:
        if incident.cause.startswith("ART") or dataset.topology[incident.entity].kind != "vm":
            continue
        if incident.start < panels[0].start + 4 * DAY:
            continue
        total += 1
        for panel in panels:
            around = panel.between(incident.start - 8 * DAY, incident.end + HEAD_START)
            born = around.slot(incident.start - HEAD_START)
            rows = [r for r, e in enumerate(around.entities) if incident.entity in {e.id, e.parent}]
            if not rows or born <= 0:
                continue
            found = search(around, detector, dict.fromkeys(rows, born), lent=lent)
            if any(e.start < incident.end and e.end > incident.start for e in found):
                seen += 1
                break
    return {"faults": total, "seen": seen}


def search(panel: Panel, detector: IsolationForestDetector, new: Mapping[int, int], *, lent: bool) -> list[Episode]:
    """Episodes of rows that have nothing before their slot."""
    values = panel.values.copy()
    for row, born in new.items():
        values[row, :born] = np.nan
    young = replace(panel, values=values)
    others = [row for row in range(len(panel.entities)) if row not in new]
    begin = min(new.values())
    if lent:
        young = with_peer_history(young, panel.select(entities=others), new)
    scores = without_peer_slots(detector.score(young, begin), young, new)
    ids = {panel.entity_ids[row] for row in new}
    return [episode for episode in find_episodes(scores, young) if episode.entity in ids]


if __name__ == "__main__":
    main(*sys.argv[1:3])
