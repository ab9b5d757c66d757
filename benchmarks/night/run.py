"""Memory and processor time of a night, by the whole process and its temporary Prefect server.

    brownout simulate FLEET --hosts 8 --vms 66 --days 16 --interval 60 --seed 3 --faults 8
    python benchmarks/night/run.py FLEET [--without-prefect]

Two nights: the first one from nothing, as of a day before the end of the data; the second one adds that day. The peak
is that of the largest process, the processor time that of all. Bars: 66 guests, 16 days at a minute: 1.5 GiB, 60 s of
processor time for the second night; 1,000 guests, all metrics, 30 days at 5 min: 2 GiB and 4 min.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from brownout.store.dataset import Dataset

SCRIPT = """
import sys
import numpy as np
from pathlib import Path
from brownout.bootstrap import open_job
from brownout.settings import load_settings
as_of = np.datetime64(sys.argv[3], "ms") if sys.argv[3] else None
open_job(load_settings(dataset=Path(sys.argv[1])), Path(sys.argv[2]), as_of=as_of).night()
"""


def night(fleet: Path, out: Path, as_of: str, *, prefect: bool) -> dict[str, float]:
    """Run one night; its peak in MB, processor and wall seconds."""
    python = sys.executable
    command = [python, "-c", SCRIPT, str(fleet), str(out), as_of]
    if prefect:
        command = [
            python,
            "-c",
            "from brownout.cli import main; main()",
            "nightly",
            "--dataset",
            str(fleet),
            "--out",
            str(out),
        ]
        command += ["--as-of", as_of] if as_of else []
    before, started = os.times(), time.monotonic()
    subprocess.run(["/usr/bin/time", "-f", "%M", "-o", str(out) + ".peak", *command], check=True, capture_output=True)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    peak = int(Path(str(out) + ".peak").read_text().split()[-1])
    return {
        "peak_mb": round(peak / 1024),
        "processor_s": round(processor, 1),
        "wall_s": round(time.monotonic() - started, 1),
    }


def main() -> None:
    """Print one line of JSON a night."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fleet", type=Path)
    parser.add_argument("--without-prefect", action="store_true")
    options = parser.parse_args()
    spans = Dataset.open(options.fleet).spans().values()
    day_before = max(span.last for span in spans) - np.timedelta64(86_400_000, "ms")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        for name, as_of in (("first", str(day_before.astype("datetime64[s]"))), ("second", "")):
            measured = night(options.fleet, out, as_of, prefect=not options.without_prefect)
            print(json.dumps({"night": name, "cores": len(os.sched_getaffinity(0)), **measured}), flush=True)


if __name__ == "__main__":
    main()
