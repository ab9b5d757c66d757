"""How long the diagnosis of a night takes: from the episodes of the last night to causes, plans and charts.

    brownout simulate FLEET --hosts 143 --vms 1000 --days 4 --interval 300 --faults 60 --seed 1
    python benchmarks/diagnosis/night.py FLEET

Episodes are the product's own: a detector learns the days before the last window, as in a night. Only what follows is
timed: grouping, reading each incident's hosts and their past, diagnosing, sifting artefacts, planning and charting.
"""

import argparse
import json
import resource
import time
from pathlib import Path

from brownout.domain.findings import UNKNOWN
from brownout.evaluate.replay import nights_of, replay
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import diagnose_batch, group_incidents
from brownout.settings import Settings
from brownout.store.as_of import StoreAsOf
from brownout.store.dataset import Dataset


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fleet", type=Path)
    dataset, settings = Dataset.open(parser.parse_args().fleet), Settings()
    last = tuple(nights_of(dataset, settings, dataset.test_start))[-1]
    (night,) = replay(dataset, settings, (last,))
    episodes = [episode for shard in night.shards for episode in shard.detection.episodes]
    context = NightContext.build(StoreAsOf(dataset, last.end), settings, created=last.end)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    batches = group_incidents(context, episodes)
    found = [diagnose_batch(context, batch) for batch in batches]
    seconds = time.process_time() - started
    diagnoses = [diagnosis for part in found for diagnosis in part.diagnoses]
    incidents = sum(len(batch) for batch in batches)
    result = {
        "guests": sum(entity.kind == "vm" for entity in dataset.topology),
        "hours": float((last.end - last.window).astype("timedelta64[m]").astype(float)) / 60,
        "episodes": len(episodes),
        "incidents": incidents,
        "given_a_cause": sum(diagnosis.top.id != UNKNOWN for diagnosis in diagnoses),
        "processor_s": round(seconds, 1),
        "per_incident_s": round(seconds / max(incidents, 1), 3),
        "peak_mb": round(max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, before) / 1024),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
