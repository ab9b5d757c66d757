"""The demo: a small simulated fleet in trouble, and the settings that make a night of it."""

import shutil
from dataclasses import replace
from pathlib import Path

from brownout.domain.errors import DataError
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.atomic import write_text

__all__ = ["prepare_demo"]

DEMO = FleetSettings(hosts=4, vms=24, days=15.2, interval_s=60, faults=7, ongoing=3, lead=0.8)
"""Twelve days to learn from and three to report; some faults are over, three go on."""

MARK = ".brownout-demo"
"""Says that a folder may be replaced."""


def prepare_demo(out: Path, *, seed: int, fleet: FleetSettings = DEMO) -> Path:
    """Simulate a fleet into ``out/fleet`` and write ``out/brownout.toml``; what an earlier demo made is replaced.

    Raises DataError where the folder holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        msg = f"{out} holds something that no demo made."
        raise DataError(msg, remedy="Give --out a new or empty folder.")
    write_text(out / MARK, "brownout demo\n")
    for name in ("fleet", "history", "models", "report"):
        shutil.rmtree(out / name, ignore_errors=True)
    folder = out / "fleet"
    write_dataset(simulate(replace(fleet, seed=seed)), folder, name="demo fleet")
    config = out / "brownout.toml"
    text = f'dataset = "{folder.resolve().as_posix()}"\nseed = {seed}\n\n[forecast]\ntrain_steps = 300\n'
    write_text(config, text)
    return config
