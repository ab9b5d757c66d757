"""NAB by its own published rules, with one global threshold: the detector of brownout and NAB's windowed Gaussian.

``python benchmarks/detection/nab.py DATASET`` prints a Markdown table. Judging begins where NAB does, after
15 % of each series, at most 750 rows. The windowed Gaussian is there as the oracle: its published score is 39.65.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from gaussian import windowed_gaussian

from brownout.domain.truth import Anomaly
from brownout.evaluate.evaluate_detect import evaluate_detect
from brownout.evaluation.nab import MOST_PROBATION, Judgement, NabFile, judge_corpus
from brownout.store.dataset import Dataset

__all__ = ["corpus", "gaussian_scores", "windows_of"]

Table = pd.DataFrame


def samples(folder: Path) -> dict[str, Table]:
    """Rows of each series in time order."""
    table = pq.read_table(folder / "samples.parquet").to_pandas()
    return {str(name): rows.reset_index(drop=True) for name, rows in table.groupby("entity", observed=True)}


def windows_of(times: "pd.Series[pd.Timestamp]", anomalies: list[Anomaly]) -> list[tuple[int, int]]:
    """First and last row of each window; NAB's windows include their last row, which is the ``end`` of the labels."""
    found = []
    for anomaly in anomalies:
        start, end = (pd.Timestamp(time, tz="UTC") for time in (anomaly.start, anomaly.end))
        inside = np.flatnonzero((times >= start) & (times <= end))
        found.append((int(inside[0]), int(inside[-1])))
    return found


def corpus(folder: Path, scores: dict[str, np.ndarray]) -> dict[str, NabFile]:
    """Files with their windows and the scores given, one a row."""
    dataset = Dataset.open(folder)
    labels: dict[str, list[Anomaly]] = {}
    for anomaly in dataset.anomalies:
        labels.setdefault(anomaly.entity, []).append(anomaly)
    rows = samples(folder)
    return {name: NabFile(scores[name], windows_of(rows[name]["time"], labels.get(name, []))) for name in scores}


def gaussian_scores(folder: Path) -> dict[str, np.ndarray]:
    """The windowed Gaussian on every series."""
    return {name: windowed_gaussian(rows["value"].to_numpy(np.float64)) for name, rows in samples(folder).items()}


def brownout_scores(folder: Path) -> dict[str, np.ndarray]:
    """What ``brownout evaluate detect`` writes, begun where NAB does; 0 before."""
    with tempfile.TemporaryDirectory() as out:
        evaluate_detect(Dataset.open(folder), Path(out), most_warm=MOST_PROBATION)
        table = pq.read_table(Path(out) / "scores.parquet").to_pandas()
    scored = {str(name): rows.set_index("time")["score"] for name, rows in table.groupby("entity", observed=True)}
    return {
        name: scored[name].reindex(rows["time"]).fillna(0).to_numpy(np.float64)
        for name, rows in samples(folder).items()
    }


def line(name: str, found: Judgement) -> str:
    """A row of the table."""
    return f"| {name} | {found.score:.2f} | {found.detected} of {found.windows} | {found.false_alarms} |"


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    print("| detector | NAB standard | windows seen | false alarms |\n|---|---|---|---|")
    print(line("brownout", judge_corpus(corpus(folder, brownout_scores(folder)))))
    print(line("windowed Gaussian (published: 39.65)", judge_corpus(corpus(folder, gaussian_scores(folder)))))


if __name__ == "__main__":
    main()
