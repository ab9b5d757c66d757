"""A sync of a year of a large fleet, killed at random moments: each time the next one goes on, to the same bytes.

``sync_kills.py FOLDER`` simulates a year of 1,000 guests into FOLDER (once), syncs it undisturbed, then again with a
SIGKILL after a random time, again and again; where a sync comes to its end its files are compared, and it begins anew.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path

from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.simulation import FleetSettings, SimulationDefinitions
from brownout.simulation.fleet import plan_fleet
from brownout.simulation.fleet_dataset import stream_dataset
from brownout.store.dataset import Dataset
from brownout.store.retention import Keep

KEEP = Keep(days=1000, thin_after_days=400)


def arguments() -> argparse.Namespace:
    """How large the fleet is, and how often it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=143)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--days", type=float, default=364)
    parser.add_argument("--interval", type=int, default=3600)
    parser.add_argument("--kills", type=int, default=100)
    return parser.parse_args()


def content(folder: Path) -> dict[str, str]:
    """Hashes of the files of a history."""
    paths = [*sorted((folder / "samples").iterdir()), folder / "history.json"]
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in paths}


def bring(fleet: Path, folder: Path) -> None:
    """One sync."""
    sync(DatasetSource(Dataset.open(fleet)), folder, keep=KEEP)


def killed(fleet: Path, folder: Path, after_s: float) -> bool:
    """A sync in a process of its own, killed after some seconds; whether it was still running then."""
    child = os.fork()
    if not child:
        bring(fleet, folder)
        os._exit(0)  # an error ends the child with another status
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if status:
        sys.exit(f"a sync ended with {status}")
    return False


def main() -> None:
    """Simulate, sync, kill, compare."""
    asked = arguments()
    fleet, out = asked.folder / "fleet", asked.folder / "history"
    if not fleet.exists():
        settings = FleetSettings(hosts=asked.hosts, vms=asked.vms, days=asked.days, interval_s=asked.interval, seed=1)
        stream_dataset(plan_fleet(settings, SimulationDefinitions.load()), fleet, name="year")
    shutil.rmtree(out, ignore_errors=True)
    begun = time.perf_counter()
    bring(fleet, out)
    whole = time.perf_counter() - begun
    expected = content(out)
    print(f"undisturbed: {whole:.1f} s, {len(expected)} files", flush=True)
    shutil.rmtree(out)
    draw = random.Random(1)
    kills = ends = 0
    while kills < asked.kills:
        if killed(fleet, out, draw.uniform(0, 4 * whole / (asked.days / 7))):
            kills += 1
            continue
        ends += 1
        if content(out) != expected:
            sys.exit(f"after {kills} kills the files differ")
        shutil.rmtree(out)
    bring(fleet, out)
    same = content(out) == expected
    print(f"{kills} kills, {ends + 1} histories brought to their end: {'equal' if same else 'NOT equal'} bytes")
    sys.exit(not same)


if __name__ == "__main__":
    main()
