"""Alarms of simulated fleets: what the nights of the product alarm once artefacts are told from faults.

``python benchmarks/detection/alarms.py FLEET...`` with folders of ``brownout simulate``: night after night over what
lies behind the first quarter, judged as ``brownout evaluate detect`` does, one line of JSON for each fleet.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.evaluate.evaluate_alarms import judge_alarms
from brownout.evaluate.own_nights import own_nights
from brownout.evaluate.replay import nights_of
from brownout.nightly.night_span import NightSpan
from brownout.settings import Settings
from brownout.store.dataset import Dataset

LEARNED = 0.25


def main(folders: Sequence[str]) -> None:
    """Print one line of JSON for each fleet."""
    settings = Settings()
    for folder in folders:
        dataset = Dataset.open(Path(folder))
        whole = NightSpan.of(dataset, settings)
        nights = tuple(nights_of(dataset, settings, whole.first + (whole.end - whole.first) * LEARNED))
        print(
            json.dumps(
                {"fleet": folder, **judge_alarms(dataset, own_nights(dataset, settings, nights), Knowledge.load())}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
