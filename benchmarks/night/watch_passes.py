"""Processor time of passes of watch, each five minutes after the one before, in one process that goes on.

    brownout simulate FLEET --hosts 12 --vms 100 --days 10 --interval 60 --seed 11 --faults 6
    python benchmarks/night/watch_passes.py FLEET OUT --until 2026-03-10T12:00 --first 2026-03-10T18:05 [--passes 5]

History and models are made first, as of ``--until``, where OUT has none. The first pass works everything out; the
second one keeps what slots are compared with; from the third one on passes are what they cost for hours. With
``--alone`` each pass is made as if it were the first. Printed are the processor time and the peak so far.
"""

import argparse
import json
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.bootstrap import open_job
from brownout.nightly.effects.kept_models import KeptModels
from brownout.nightly.passes.kept_results import KeptResults
from brownout.settings import load_settings

FIVE_MINUTES = np.timedelta64(300_000, "ms")


def main() -> None:
    """Print one line of JSON a pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fleet", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--until", required=True)
    parser.add_argument("--first", required=True)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="No pass goes on from another one.")
    options = parser.parse_args()
    settings = load_settings(dataset=options.fleet)
    job = open_job(settings, options.out, as_of=np.datetime64(options.until, "ms"))
    job.sync()
    job.train(only_if_due=True)
    kept, models = KeptResults(), KeptModels()
    for number in range(options.passes):
        before = time.process_time()
        at = np.datetime64(options.first, "ms") + number * FIVE_MINUTES
        job = open_job(settings, options.out, as_of=at)
        job = job if options.alone else replace(job, kept_results=kept, models=models)
        with job.alone("brownout watch"):
            job.run()
        assert not job.effects.lines(), job.effects.lines()
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spent = round(time.process_time() - before, 1)
        print(json.dumps({"pass": number + 1, "processor_s": spent, "peak_mb": round(peak_mb)}), flush=True)


if __name__ == "__main__":
    main()
