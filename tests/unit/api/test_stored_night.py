"""A night's results as frames: what the report says, nothing lost, columns there even where there are no rows."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from nights import HOSTILE, START, hours, night

import brownout
from brownout.domain.entities import Entity
from brownout.domain.errors import BrownoutError, DataError
from brownout.domain.findings.model_cards import Comparison, DataFacts, ModelFacts, PairedTest, TrainingCost
from brownout.domain.metrics import Metric
from brownout.domain.night import ModelRecord, Night
from brownout.domain.repairs import Repairs
from brownout.nightly.effects.champion_history import Decision, Outcome, Signature, append_decision
from brownout.nightly.effects.model_records import write_record
from brownout.nightly.effects.review.card_files import write_facts
from brownout.reporting import render
from brownout.store.history import WEEK, Description, file_of, samples_schema, week_of, write_description, write_samples

FRAMES = (
    *("incidents", "evidence", "episodes", "breaches", "forecasts", "actions", "consoles", "entities", "models"),
    *("skills", "criteria", "comparisons", "decisions"),
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder with a report, an archived night and a history of two entities."""
    render(night(), tmp_path / "report")
    render(night(HOSTILE), tmp_path / "archive" / "2026-03-15T0000Z")
    load = Metric.from_table("vm_cpu_pct", {"kind": "gauge"})
    rows = 24 * 60
    times = pa.array(START + np.arange(rows) * np.timedelta64(1, "m"), pa.timestamp("ms", "UTC"))
    values = pa.array(np.arange(rows, dtype=np.float32))
    tables = [
        (
            pa.table([times, pa.array([name] * rows).dictionary_encode(), values], names=["time", "entity", load.name]),
            Repairs(),
        )
        for name in ("vm1", "vm2")
    ]
    folder = tmp_path / "history"
    write_samples(file_of(folder, week_of(START), WEEK), samples_schema([load]), tables)
    entities = (Entity(id="vm1", kind="vm"), Entity(id="vm2", kind="vm"))
    write_description(folder, Description(source="test", interval_s=60, metrics=(load,), entities=entities))
    return tmp_path


def test_frames_hold_what_the_night_found(out: Path) -> None:
    opened, found = brownout.open(out), night()
    assert list(opened.incidents.index) == [diagnosis.id for diagnosis in found.diagnoses]
    assert list(opened.incidents["cause"]) == [diagnosis.top.id for diagnosis in found.diagnoses]
    assert len(opened.episodes) == len(found.episodes) + len(found.suppressed)
    told = {name: diagnosis.id for diagnosis in found.diagnoses for name in diagnosis.episodes}
    assert (
        dict(opened.episodes["incident"]).items()
        >= {n: i for n, i in told.items() if n in opened.episodes.index}.items()
    )
    assert (opened.episodes["suppressed"] != "").sum() == len(found.suppressed)
    crossed = list(
        zip(opened.breaches["entity"], opened.breaches["metric"], opened.breaches["probability"], strict=True)
    )
    assert crossed == [(b.series.entity, b.series.metric, pytest.approx(b.probability)) for b in found.breaches]
    assert len(opened.forecasts) == sum(len(chart.future) for chart in found.forecasts.values())
    assert set(opened.evidence["incident"]) == set(opened.incidents.index)
    assert list(opened.models.index) == [model.name for model in found.models]
    assert (opened.actions["low_ms"].notna() == [action.effect is not None for action in found.actions]).all()
    assert opened.end == pd.Timestamp(found.end, tz="UTC")
    assert str(opened.incidents["start"].dtype).endswith("UTC]")


def test_a_night_that_found_nothing_has_the_same_columns(out: Path) -> None:
    empty = {
        f.name: type(getattr(night(), f.name))()
        for f in fields(Night)
        if f.name
        in (
            "breaches",
            "skills",
            "episodes",
            "diagnoses",
            "actions",
            "forecasts",
            "charts",
            "models",
            "suppressed",
            "consoles",
        )
    }
    render(replace(night(), **empty), out / "nothing" / "report")
    full, none = brownout.open(out), brownout.open(out / "nothing")
    for name in FRAMES:
        assert list(getattr(none, name).columns) == list(getattr(full, name).columns), name
        assert not len(getattr(none, name)) or name == "entities"
    with pytest.raises(DataError, match="No console is measured"):
        none.plot()
    assert list(none.breaches[~none.breaches["exceeded"]].columns) == list(full.breaches.columns)
    assert list(none.criteria[~none.criteria["passed"]].columns) == list(full.criteria.columns)


def test_models_under_review_are_frames_too(out: Path) -> None:
    """A newer forecaster that is worse waits; the detector was never trained."""
    folder = out / "models" / "forecaster"
    old = ModelRecord(
        name="brownout-forecaster", uri="models:/brownout-forecaster/1", trained_from=hours(-48), trained_to=hours(-24),
        seed=0, lock="", scores={"all.crps": 0.5, "all.mase": 0.5},
    )  # fmt: skip
    new = replace(old, uri="", trained_to=hours(0), scores={"all.crps": 0.9, "all.mase": 0.5})
    test = PairedTest(
        family="all", against="champion", entities=12, ratio=1.4, low=1.2, high=1.6, p_worse=0.01, p_better=0.99
    )
    when = hours(0)
    facts = ModelFacts(
        reason="",
        data=DataFacts(source="", start=when, end=when, entities=0, values=0, sha256=""),
        cost=TrainingCost(started=when, wall_s=1, cpu_s=1, peak_mib=1),
        comparison=Comparison(
            champion_trained_to=old.trained_to, start=when, end=when, windows=8, entities=12, champion={},
            challenger={}, tests=(test,),
        ),
    )  # fmt: skip
    waits = folder.with_name("forecaster-challenger")
    for place, record, known in ((folder, old, replace(facts, comparison=None)), (waits, new, facts)):
        place.mkdir(parents=True)
        write_record(place, record)
        write_facts(place, known)
    append_decision(folder, Decision.of(old, Outcome.APPROVED, Signature(by="Ann", reason="first", at=when)))
    opened = brownout.open(out)
    assert opened.criteria["passed"].unique().tolist() == [False, True]
    assert set(opened.criteria["model"]) == {"forecaster"}
    (row,) = opened.comparisons.itertuples()
    assert (row.model, row.state, row.resource, row.ratio) == ("forecaster", "waits", "all", 1.4)
    (said,) = opened.decisions.itertuples()
    assert (said.outcome, said.by, said.at) == ("approved", "Ann", pd.Timestamp(when, tz="UTC"))


def test_nights_of_the_archive_are_opened_by_name(out: Path) -> None:
    assert brownout.nights(out) == ("2026-03-15T0000Z",)
    assert HOSTILE in set(brownout.open(out, "2026-03-15T0000Z").entities.index)
    with pytest.raises(DataError, match=r"has no night 'yesterday'.*2026-03-15T0000Z"):
        brownout.open(out, "yesterday")
    with pytest.raises(DataError, match=r"does not exist.*nightly --out"):
        brownout.open(out / "elsewhere")


def test_what_was_measured_is_read_from_the_history(out: Path) -> None:
    opened = brownout.open(out)
    frame = opened.measured("vm2", start=pd.Timestamp(hours(1)), end="2026-03-16 02:00")
    assert list(frame["vm_cpu_pct"]) == list(range(60, 120))
    assert frame.index[0] == pd.Timestamp("2026-03-16 01:00", tz="UTC")
    assert opened.measured("vm2", start="2026-03-16T02:00+01:00", end="2026-03-16T03:00+01:00").equals(frame)
    with pytest.raises(DataError, match=r"Nothing was measured of 'VM'.*'vm1', 'vm2'"):
        opened.measured("VM")
    with pytest.raises(DataError, match=r"no values of \['nothing'\].*vm_cpu_pct"):
        opened.measured("vm1", metrics=["nothing"])
    with pytest.raises(DataError, match="Ask for another time"):
        opened.measured("vm1", start="2026-04-01", end="2026-04-02")


def test_a_plot_has_the_series_its_unit_and_its_limit(out: Path) -> None:
    mpl.use("agg")
    axes = brownout.open(out).plot("vm1", "vm_cpu_pct", start="2026-03-16")
    metric = night().metrics["vm_cpu_pct"]
    assert axes.get_title() == f"{metric.title} · vm1"
    assert axes.get_ylabel() == metric.unit
    assert len(axes.lines[0].get_xdata()) > 0


def test_importing_does_nothing_and_a_wrong_name_is_told() -> None:
    heavy = "import sys, brownout; print([m for m in ('pandas', 'torch', 'sklearn', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match=r"no attribute .opne.; it has .*open"):
        brownout.opne  # noqa: B018
    assert issubclass(DataError, BrownoutError)
