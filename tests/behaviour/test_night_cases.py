"""Small inputs that once went wrong, each with its right answer: a night without forecasts, trained on its own past."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brownout.domain.night import Night
from brownout.evaluate.replay import context_at, end_of
from brownout.nightly.context import NightModels
from brownout.nightly.run import run
from brownout.nightly.training.train import fit_detector
from brownout.settings import Settings
from brownout.store.dataset import Dataset

CASES = Path(__file__).parents[1] / "data" / "cases"


def night_of(folder: Path) -> Night:
    store = Dataset.open(folder)
    context = context_at(store, Settings(), end_of(store))
    return run(context.with_models(NightModels(detector=fit_detector(context)))).night


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("swallowed-by-an-older-one", {("VIRT-05", "h1-vm2", True), ("PWR-01", "h1", True)}),
        ("restarted-host", set[tuple[str, str, bool]]()),
        ("emulator-quota", {("VIRT-04", "h1-vm1", True)}),
        ("once-is-no-season", {("CONT-04", "h1", False)}),
        ("leak-tonight", {("LEAK-01", "vm05", True)}),
        ("fill-five-days", {("MAINT-04", "h3:/images", True)}),
    ],
)
def test_what_happened_is_told_and_nothing_else(name: str, told: set[tuple[str, str, bool]]) -> None:
    night = night_of(CASES / name)
    assert {(d.top.id, d.top.entity, d.open) for d in night.diagnoses} == told
    if name == "restarted-host":
        assert "ART-09" in {one.because for one in night.suppressed}


def seen_earlier(samples: pd.DataFrame) -> pd.DataFrame:
    """The night an hour before."""
    return samples[samples["time"] <= samples["time"].max() - pd.Timedelta(hours=1)]


def with_losses(samples: pd.DataFrame) -> pd.DataFrame:
    """One sample of seven was lost."""
    return samples[np.random.default_rng(2).random(len(samples)) > 0.15]


@pytest.mark.parametrize("change", [seen_earlier, with_losses])
def test_a_store_that_fills_goes_on_whenever_one_looks(
    change: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    """Detection had got used to the rise a day before the end, and nobody looked at what the store did since."""
    folder = shutil.copytree(CASES / "fill-five-days", tmp_path / "fleet")
    change(pd.read_parquet(folder / "samples.parquet")).to_parquet(folder / "samples.parquet")
    night = night_of(folder)
    assert {(d.top.id, d.top.entity, d.open) for d in night.diagnoses} == {("MAINT-04", "h3:/images", True)}


def folder_of_waves(folder: Path, *, hours: float, seed: int = 0) -> Path:
    """Two healthy hosts and four guests: a daily wave and white noise, nothing else."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2026-03-02", periods=round(hours * 12), freq="300s", tz="UTC")
    wave = np.sin(np.arange(len(times)) / 288 * 2 * np.pi)
    rows = []
    for entity, metric in (
        ("h1", "host_cpu_busy_pct"), ("h2", "host_cpu_busy_pct"), *((f"vm{i}", "vm_cpu_pct") for i in range(4)),
    ):  # fmt: skip
        values = 30 + 8 * wave + rng.normal(0, 2, len(times))
        rows.append(pd.DataFrame({"time": times, "entity": entity, metric: values.astype(np.float32)}))
    folder.mkdir()
    samples = pd.concat(rows, ignore_index=True)
    samples["time"] = samples["time"].astype("datetime64[ms, UTC]")
    samples.to_parquet(folder / "samples.parquet")
    guests = "".join(f"vm{i},vm,h{1 + i % 2}\n" for i in range(4))
    (folder / "entities.csv").write_text(f"entity,kind,parent\nh1,host,\nh2,host,\n{guests}")
    (folder / "dataset.toml").write_text(
        'name = "waves"\ninterval_s = 300\nsource = "made here"\nlicence = "Apache-2.0"\ntask = "detect"\n'
        "[metrics.host_cpu_busy_pct]\n[metrics.vm_cpu_pct]\n"
    )
    return folder


def test_noise_in_which_nothing_moved_is_no_alarm(tmp_path: Path) -> None:
    """Without a metric out of its usual range by its own measure nobody can act."""
    night = night_of(folder_of_waves(tmp_path / "waves", hours=96))
    assert night.diagnoses == ()
    assert night.quality.waiting == ()


@pytest.mark.parametrize("hours", [0.5, 2.0, 20.0])
def test_a_first_night_ends_with_a_report_of_what_it_waits_for(tmp_path: Path, hours: float) -> None:
    night = night_of(folder_of_waves(tmp_path / "waves", hours=hours))
    assert night.diagnoses == ()
    assert any("2026-03-03 00:00 UTC" in sentence for sentence in night.quality.waiting)
    assert any("limits" in sentence for sentence in night.quality.waiting)
