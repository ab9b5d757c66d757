"""Whole nights on small made-up fleets: a leak, a fill, an incident that is over, and a busy hour of every day."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from brownout.bootstrap import open_job
from brownout.settings import load_settings

END = np.datetime64("2026-11-28T05:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")

pytestmark = pytest.mark.usefixtures("quick_training")
Values = npt.NDArray[np.float64]


def night(folder: Path, out: Path) -> dict[str, Any]:
    job = open_job(load_settings(dataset=folder, forecast={"train_steps": 10}), out)
    job.sync()
    job.train()
    job.run()
    assert job.effects.failures == ()
    report: dict[str, Any] = json.loads((out / "report" / "report.json").read_text())
    return report


class Fleet:
    """Half-hourly or finer samples of some entities up to ``END``, each with one or more metrics."""

    def __init__(self, *, days: int, interval_s: int, seed: int = 0) -> None:
        self.interval_s, slots = interval_s, days * 86_400 // interval_s
        step = np.timedelta64(interval_s * 1000, "ms")
        self.times = END - step * np.arange(slots, 0, -1)
        self.hours = (self.times - END) / HOUR
        """Hours to the end, negative."""
        self.day = np.sin(2 * np.pi * self.hours / 24)
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, tuple[str, str, dict[str, Values]]] = {}

    def noise(self, spread: float) -> Values:
        return self.rng.normal(0, spread, len(self.times))

    def add(self, entity: str, kind: str, parent: str, **metrics: Values) -> None:
        self.rows[entity] = kind, parent, metrics

    def write(self, write_dataset: Any) -> Path:
        names = sorted({name for _, _, metrics in self.rows.values() for name in metrics})
        missing = np.full(len(self.times), np.nan)
        table = "entity,kind,parent,group\n" + "".join(f"{e},{k},{p},\n" for e, (k, p, _) in self.rows.items())
        folder: Path = write_dataset(
            {n: np.concatenate([m.get(n, missing) for _, _, m in self.rows.values()]).tolist() for n in names},
            times=[str(time) for _ in self.rows for time in self.times],
            entities=[name for name in self.rows for _ in self.times],
            header=f'name = "made"\ninterval_s = {self.interval_s}\n' + "".join(f"[metrics.{n}]\n" for n in names),
        )
        (folder / "entities.csv").write_text(table)
        return folder


def breaches(report: dict[str, Any], least: float = 0.5) -> dict[str, dict[str, Any]]:
    return {one["entity"]: one for one in report["breaches"] if one["probability"] >= least}


def at(breach: dict[str, Any], name: str) -> np.datetime64:
    return np.datetime64(breach[name].rstrip("Z"), "ms")


def test_a_leak_that_began_hours_ago_goes_on_and_is_dated(write_dataset: Any, tmp_path: Path) -> None:
    fleet = Fleet(days=12, interval_s=600)
    for row in range(8):
        usable = 52 + 2 * fleet.day + fleet.noise(0.6)
        leaked = 1.35 * np.maximum(fleet.hours + 20, 0) if row == 5 else 0
        fleet.add(f"vm{row}", "vm", "h1", vm_memory_usable_pct=usable - leaked)
    report = night(fleet.write(write_dataset), tmp_path / "out")
    found = breaches(report)
    assert set(found) == {"vm5"}
    crossing = END + HOUR * 11  # 25 % left, 15 to go at 1.35 an hour
    assert at(found["vm5"], "earliest") <= crossing + HOUR
    assert at(found["vm5"], "latest") >= crossing - HOUR
    assert abs(at(found["vm5"], "likely") - crossing) < 2 * HOUR


def test_a_fill_of_days_is_full_on_a_date_in_its_range(write_dataset: Any, tmp_path: Path) -> None:
    fleet = Fleet(days=16, interval_s=1800)
    for row in range(4):
        filled = 2.2 / 24 * np.maximum(fleet.hours + 120, 0) if row == 3 else 0
        fleet.add(f"h{row}", "host", "", host_cpu_busy_pct=15 + 3 * fleet.day + fleet.noise(1))
        fleet.add(f"h{row}:/images", "path", f"h{row}", disk_used_pct=78.75 + filled + fleet.noise(0.1))
    report = night(fleet.write(write_dataset), tmp_path / "out")
    found = breaches(report)
    assert set(found) == {"h3:/images"}
    crossing = END + HOUR * round((95 - 89.75) / 2.2 * 24)
    assert at(found["h3:/images"], "earliest") <= crossing <= at(found["h3:/images"], "latest")


def consoles(*, every_day: bool) -> Fleet:
    """Four consoles on a host that swaps for five hours, yesterday or on each day."""
    fleet = Fleet(days=12, interval_s=600)
    into = (fleet.hours + 20) % 24 if every_day else fleet.hours + 20
    swaps = (into >= 0) & (into < 5)
    fleet.add(
        "h1",
        "host",
        "",
        host_memory_available_pct=np.where(swaps, 3, 40 + fleet.day) + fleet.noise(0.5),
        host_psi_memory_pct=np.where(swaps, 12, 0.1) + np.abs(fleet.noise(0.05)),
    )
    for row in range(4):
        fleet.add(f"vm{row}", "vm", "h1", vm_memory_usable_pct=57 + fleet.day + fleet.noise(0.5))
        update = 60 * np.exp(0.25 * fleet.day + fleet.noise(0.1)) * np.where(swaps, 6, 1)
        fleet.add(f"vm{row}/console", "console", f"vm{row}", console_update_ms=update)
    return fleet


def test_an_incident_that_came_once_is_no_breach_tomorrow(write_dataset: Any, tmp_path: Path) -> None:
    report = night(consoles(every_day=False).write(write_dataset), tmp_path / "out")
    assert report["incidents"]
    assert breaches(report, 0.2) == {}
    model = next(one for one in report["models"] if one["name"] == "brownout-forecaster")
    share = model["parameters"]["left_out_of_training"]
    assert 0.5 < float(share.split("%")[0]) < 3, share


def test_what_comes_every_day_is_a_season(write_dataset: Any, tmp_path: Path) -> None:
    found = breaches(night(consoles(every_day=True).write(write_dataset), tmp_path / "out"))
    assert {f"vm{row}/console" for row in range(4)} <= set(found)
    begins = END + HOUR * 4
    assert abs(at(found["vm0/console"], "likely") - begins) <= HOUR
