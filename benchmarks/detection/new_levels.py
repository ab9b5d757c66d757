"""New levels: episodes about a level that stays, with and without accepting it, and what is seen on it afterwards.

``python benchmarks/detection/new_levels.py CALM`` with a folder of ``brownout simulate`` without faults, of at least
ten days: one metric of each guest and console in three, in turn, moves by twelve of its spreads 3.5 days before the end
and stays; a day and a half later it moves as much again, for two hours.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.detection.baseline.level_shifts import rescored_after_shifts
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import Episode
from brownout.domain.metrics import Worse
from brownout.domain.panel import Panel
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

HOURS = 24.0
MOVED, AGAIN, LONG = (np.timedelta64(hours, "h") for hours in (84, 36, 2))
SPREADS = 12.0


def main(folder: str) -> None:
    """Print one line of JSON for each kind of entity and way."""
    dataset = Dataset.open(Path(folder))
    for plan in plan_shards(dataset):
        if plan.kind not in {"vm", "console"}:
            continue
        plain = read_shard(dataset, plan).panel
        first = plain.slot(plain.end - MOVED) - plain.slot(plain.start + np.timedelta64(12, "h"))
        detector = IsolationForestDetector().fit([plain.between(plain.start, plain.times[first])])
        panel, rows = moved(plain)
        scores = detector.score(panel, first)
        again, shifts = rescored_after_shifts(detector, scores, panel, (), HOURS)
        for accepted, found in ((False, scores), (True, again)):
            counts = judge(panel, [e for e in find_episodes(found, panel) if e.entity in rows])
            print(json.dumps({"kind": plan.kind, "moved": len(rows), "accepted": len(shifts) * accepted, **counts}))


def moved(panel: Panel) -> tuple[Panel, set[str]]:
    """The panel with a metric of every third entity moved, and those entities."""
    values, names = panel.values.copy(), set()
    onset, again = panel.slot(panel.end - MOVED), panel.slot(panel.end - MOVED + AGAIN)
    columns = [c for c, m in enumerate(panel.metrics) if m.worse is Worse.UP and m.limit is None]
    columns = [c for c in columns if np.nanmedian(panel.values[..., c]) > 0]
    for number, row in enumerate(range(0, len(panel.entities), 3)):
        column = columns[number % len(columns)]
        past = values[row, :onset, column]
        by = SPREADS * 1.4826 * np.nanmedian(np.abs(past - np.nanmedian(past)))
        values[row, onset:, column] += by
        values[row, again : again + panel.slot(panel.start + LONG), column] += by
        names.add(panel.entity_ids[row])
    return replace(panel, values=values), names


def judge(panel: Panel, found: Sequence[Episode]) -> dict[str, int]:
    """Shifts seen at once, episodes that begin after the day of acceptance, and second moves seen."""
    onset = panel.end - MOVED
    late, second = onset + np.timedelta64(26, "h"), onset + AGAIN
    seen = {e.entity for e in found if e.start < onset + np.timedelta64(12, "h") and e.end > onset}
    again = {e.entity for e in found if e.start < second + LONG and e.end > second}
    rest = [e for e in found if e.start >= late and not (e.start < second + LONG and e.end > second)]
    return {"shifts_seen": len(seen), "later_episodes": len(rest), "second_moves_seen": len(again)}


if __name__ == "__main__":
    main(sys.argv[1])
