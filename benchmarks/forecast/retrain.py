"""What the forecaster's training of a night takes: from nothing, and from the champion of the night before.

    brownout simulate FLEET --hosts 143 --vms 1000 --days 30 --interval 300 --seed 5 --faults 60
    python benchmarks/forecast/retrain.py FLEET

Reading, training, the held-out windows and the log for review, with the settings that a night has; the second training
starts from the first one's model. Each runs in a process of its own. Prints a Markdown table.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from brownout.adapters.tracking import MlflowTracker
from brownout.nightly.training.train import train_forecaster
from brownout.settings import Settings
from brownout.store.dataset import Dataset


def train(dataset: Path, folder: Path) -> dict[str, float]:
    """One training; times in seconds, peak memory and the skill of what was chosen."""
    tracker = MlflowTracker(f"sqlite:///{folder / 'mlflow.db'}", "retrain", folder / "artifacts")
    started = time.monotonic()
    record = train_forecaster(Dataset.open(dataset), Settings(), folder / "forecaster", tracker)
    return {
        "wall": time.monotonic() - started,
        "cpu": time.process_time(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "mase": record.scores["all.mase"],
        "crps": record.scores["all.crps"],
    }


def main(dataset: str) -> None:
    """Train twice."""
    say = sys.stdout.write
    say("| training | wall s | CPU s | peak MB | MASE | CRPS |\n|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("from nothing", "from the champion"):
            command = [sys.executable, str(Path(__file__)), dataset, folder]
            made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            cost = f"{made['wall']:.0f} | {made['cpu']:.0f} | {made['peak']:.0f}"
            say(f"| {name} | {cost} | {made['mase']:.3f} | {made['crps']:.3f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.stdout.write(json.dumps(train(Path(sys.argv[1]), Path(sys.argv[2]))))
    else:
        main(sys.argv[1])
