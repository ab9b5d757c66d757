"""Make a fleet with its truth: python benchmarks/fleets/make.py OUT --seed 1 --hosts 6 --vms 60 --days 16."""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleets.build import Order, build
from fleets.faults import KINDS
from fleets.faults.schedule import MODES
from fleets.outcome.folder import write_folder
from fleets.product import limits


def main() -> None:
    """Read the arguments, write the folder, say what is in it."""
    parser = argparse.ArgumentParser(description="A fleet with its truth, by the second generator.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--vms", type=int, default=24, help="guests in all")
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--interval", type=int, default=60, help="seconds")
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--mode", choices=sorted(MODES), default="mixed")
    parser.add_argument("--kinds", default="", help=f"only these kinds of fault, of {','.join(KINDS)}")
    given = parser.parse_args()
    kinds = tuple(name for name in given.kinds.split(",") if name)
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or given.vms < given.hosts or given.hosts < 1 or given.days < 1 or given.interval < 1:
        parser.error(
            f"unknown kinds {unknown}" if unknown else "give a host or more, a guest for each, and a day or more"
        )
    order = Order(
        seed=given.seed, hosts=given.hosts, vms=given.vms, days=given.days, interval_s=given.interval,
        faults=0 if given.mode == "healthy" else given.faults, mode=given.mode, kinds=kinds,
    )  # fmt: skip
    truth = write_folder(build(order), given.out, limits())
    for fault in truth["faults"]:
        print(f"{fault['id']} {fault['cause']:9} {fault['entity']:32} {fault['start']} {fault['end']}"
              f" {'ongoing ' if fault['ongoing'] else ''}{fault['shape']} {fault['strength']}")  # fmt: skip
    why = Counter(b["foreseeable"] or "not foreseeable" for b in truth["breaches"] if not b["blip"])
    print(f"{len(truth['faults'])} faults, {len(truth['harmless'])} harmless events, breaches {dict(why)}: {given.out}")


if __name__ == "__main__":
    main()
