"""Detectors side by side on servers that nobody chose on: average precision, VUS-PR and seconds, in one run.

``python benchmarks/detection/peers.py --halves --folder ASD --folder FLEET… --spans
BOOKINFO`` prints Markdown tables. A set is a dataset folder with ``anomalies.csv``, with
``--halves`` the halves of the servers of the first one; ``--spans`` is a folder of short spans with a fault each.
Entities are scored from what lies before; at most six of a set with labels in their test are judged: by average
precision over points without point adjustment, and VUS-PR, both as means over entities. Peers learn each entity by
itself (``plain_peers.py``, ``neural_peers.py``); brownout learns those of a set together, as it ships. ``seconds`` are
of one core.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from labelled_sets import LabelledSet, Part, Values, read_folder, read_spans
from plain_peers import PLAIN_PEERS
from sklearn.metrics import average_precision_score

from brownout.detection.forest.deduplication import deduplicated
from brownout.evaluation.volume import volume_under_pr

Scores = list[tuple[Part, int, Values]]


def own_scores(labelled: LabelledSet) -> Scores:
    """Scores of brownout as it ships of all entities that are judged."""
    detectors, scores = labelled.detectors(), {}
    for part in labelled.parts:
        kind = part.panel.entities[0].kind
        later = part.features.between(part.split, part.labels.shape[1])
        found = detectors[kind].assess(later, kind, part.panel.interval_s)
        scores[id(part)] = np.nan_to_num(deduplicated(found.novelties, part.split, found.related)).astype(np.float64)
    return [(part, row, scores[id(part)][row]) for part, row in labelled.judged()]


def peer_scores(labelled: LabelledSet, peer: Callable[[Values, int], Values]) -> Scores:
    """Scores of a peer that learns each entity by itself."""
    return [(part, row, peer(part.standardised(row), part.split)[part.split :]) for part, row in labelled.judged()]


def peers() -> Iterator[tuple[str, Callable[[Values, int], Values]]]:
    """Those that can be run here."""
    for name, (module, peer) in PLAIN_PEERS.items():
        if find_spec(module) is not None:
            yield name, peer
    if find_spec("torch") is not None:
        from neural_peers import NEURAL_PEERS  # noqa: PLC0415 - torch takes seconds to import

        yield from NEURAL_PEERS.items()


def judged(scores: Scores) -> tuple[float, float]:
    """Average precision and VUS-PR, means over entities."""
    precise, volumes = [], []
    for part, row, values in scores:
        labels = part.labels[row, part.split :]
        precise.append(average_precision_score(labels, values))
        volumes.append(volume_under_pr(values, labels))
    return float(np.mean(precise)), float(np.nanmean(volumes))


def show(names: Sequence[str], figures: dict[str, list[tuple[float, float, float]]]) -> None:
    """Print a table: average precision, VUS-PR and seconds of each set, and the means over sets."""
    print(f"| detector | {' | '.join(names)} | mean AP | mean VUS-PR | seconds |\n|{'---|' * (len(names) + 4)}")
    for name, found in figures.items():
        cells = " | ".join(f"{precise:.3f}, {volume:.3f}" for precise, volume, _ in found)
        means = np.mean([one[:2] for one in found], axis=0)
        print(
            f"| {name} | {cells} | {means[0]:.3f} | {means[1]:.3f} | {sum(one[2] for one in found):.0f} |", flush=True
        )


def arguments() -> tuple[list[LabelledSet], str]:
    """Sets, and what a detector's name must contain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    parser.add_argument("--spans", type=Path, action="append", default=[])
    parser.add_argument("--halves", action="store_true", help="the first folder's servers in two halves")
    parser.add_argument("--only", default="", help="detectors whose names contain this")
    given = parser.parse_args()
    return list(sets(given)), given.only


def sets(given: argparse.Namespace) -> Iterator[LabelledSet]:
    """Those that the command line names."""
    for number, folder in enumerate(given.folder):
        whole = read_folder(folder)
        if number == 0 and given.halves:
            yield from (whole.half(0, f"{whole.name}, odd"), whole.half(1, f"{whole.name}, even"))
        else:
            yield whole
    yield from map(read_spans, given.spans)


def main() -> None:
    """Print the table, a row at a time as it is known."""
    chosen, only = arguments()
    every = [("brownout", own_scores), *((name, partial(peer_scores, peer=peer)) for name, peer in peers())]
    figures: dict[str, list[tuple[float, float, float]]] = {}
    for name, score in (one for one in every if only in one[0]):
        for labelled in chosen:
            started = time.process_time()
            scores = score(labelled)
            spent = time.process_time() - started
            figures.setdefault(name, []).append((*judged(scores), spent))
        show([one.name for one in chosen], {name: figures[name]})
    print()
    show([one.name for one in chosen], figures)


if __name__ == "__main__":
    main()
