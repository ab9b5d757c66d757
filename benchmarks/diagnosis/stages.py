"""The bottleneck of slow frames, learned on some sessions and judged on others, beside the longest stage.

    python benchmarks/diagnosis/stages.py STAGES.csv

The table has a column STAGE_ms for each stage, the bottleneck's name, and the session in ``entity``.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from brownout.diagnosis.evidence.display_stages import Bottleneck
from brownout.evaluation.diagnosis_scores import macro_f1

FOLDS = 5


def main() -> None:
    """Print accuracy and macro-F1 of both."""
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["bottleneck"]]
    stages = [name.removesuffix("_ms") for name in rows[0] if name.endswith("_ms")]
    times = np.array([[float(row[f"{stage}_ms"] or "nan") for stage in stages] for row in rows])
    labels = [row["bottleneck"] for row in rows]
    fold = np.unique([row["entity"] for row in rows], return_inverse=True)[1] % FOLDS
    learned = [""] * len(rows)
    for number in range(FOLDS):
        seen, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        model = Bottleneck.learn(stages, times[seen], [labels[i] for i in seen])
        for place, answer in zip(held, model.name(times[held]), strict=True):
            learned[place] = answer
    for title, answers in (("longest stage", Bottleneck.longest(stages).name(times)), ("learned", learned)):
        right = np.mean([a == b for a, b in zip(labels, answers, strict=True)])
        print(f"{title}: {len(rows)} frames, accuracy {right:.3f}, macro-F1 {macro_f1(labels, answers):.3f}")


if __name__ == "__main__":
    main()
