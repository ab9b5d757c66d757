"""Is a metric that a fault must move among the first three that are named? On fleets of the second generator.

``python benchmarks/detection/attribution.py FLEET…`` prints a Markdown table. Each fault after the part learned from is
looked at where its entity's level is highest; metrics stand in the order of their shares in the level, as an episode
names them, beside the order of robust z-scores against the day before and of deviations from the usual. Right is what
``truth.json`` says that the fault must show, with a shift of three deviations or more.
"""

import json
import sys
from pathlib import Path

import numpy as np
from labelled_sets import Part, Values, read_folder

from brownout.detection.episodes.metric_shares import metric_shares
from brownout.detection.forest.detector import IsolationForestDetector

FIRST = 3
CLEAR = 3.0
"""Shift in robust deviations from which a metric must be seen."""


def orders(detector: IsolationForestDetector, part: Part, row: int, slot: int) -> dict[str, Values]:
    """How much each metric counts, by each measure."""
    values = part.panel.values[row].astype(np.float64)
    past = values[max(slot - part.panel.slots_per_day, 0) : slot]
    middle = np.nanmedian(past, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(past - middle), axis=0) + 1e-3 * np.abs(middle) + 1e-6
    return {
        "share in the level": metric_shares(detector, part.panel, [row], [slot])[0],
        "deviation from the usual": np.abs(part.features.deviations[row, slot]),
        "robust z-score": np.abs(values[slot] - middle) / spread,
    }


def main() -> None:
    """Print the table."""
    print("| fleet | faults | share in the level | deviation from the usual | robust z-score |")
    print("|---|---|---|---|---|")
    for folder in map(Path, sys.argv[1:]):
        labelled, truth = read_folder(folder), json.loads((folder / "truth.json").read_text())
        detectors = labelled.detectors()
        hits: dict[str, list[bool]] = {}
        for part in labelled.parts:
            detector = detectors[part.panel.entities[0].kind]
            levels = detector.assess(part.features, part.panel.entities[0].kind, part.panel.interval_s).levels
            for fault in truth["faults"]:
                if fault["entity"] not in part.panel.entity_ids:
                    continue
                row = part.panel.entity_ids.index(fault["entity"])
                shown = {
                    one["metric"]
                    for one in fault["shows"]
                    if one["entity"] == fault["entity"] and abs(one["shift"]) >= CLEAR
                }
                first, last = (part.panel.slot(np.datetime64(fault[key].rstrip("Z"))) for key in ("start", "end"))
                inside = np.nan_to_num(levels[row, max(first, 0) : max(last, 0)])
                if first < part.split or not len(inside) or not shown & set(part.panel.metric_names):
                    continue
                for name, counts in orders(detector, part, row, first + int(inside.argmax())).items():
                    named = np.argsort(-np.nan_to_num(counts), kind="stable")[:FIRST]
                    hits.setdefault(name, []).append(bool(shown & {part.panel.metric_names[place] for place in named}))
        cells = " | ".join(f"{np.mean(found):.2f}" for found in hits.values())
        print(f"| {folder.name} | {max(map(len, hits.values()), default=0)} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
