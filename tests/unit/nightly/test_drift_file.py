"""Drift as a reason to train: said once, in words, and not again for the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.findings.model_drift import Drift, DriftOf, ModelDrift
from brownout.domain.night import ModelRecord
from brownout.nightly.effects.review.drift_file import drift_reason, keep_drift, read_drift

DAY = np.timedelta64(1, "D")
TRAINED = np.datetime64("2026-03-01", "ms")
MOVED = Drift(
    of=DriftOf.INPUT, name="vm_cpu_pct", kind="vm", before=20.0, now=60.0, psi=0.6, distance=0.5, p=0.001, entities=20,
    drifted=True,
)  # fmt: skip
LOST = Drift(
    of=DriftOf.COVERAGE, name="disk", kind="", before=0.8, now=0.55, psi=float("nan"), distance=float("nan"), p=0.002,
    entities=20, drifted=True,
)  # fmt: skip


def record(trained_to: np.datetime64) -> ModelRecord:
    return ModelRecord(
        name="brownout-forecaster", uri="", trained_from=TRAINED - 30 * DAY, trained_to=trained_to, seed=0, lock=""
    )


def night(end: np.datetime64, *drifts: Drift) -> ModelDrift:
    return ModelDrift(start=end - DAY, end=end, trained_to=TRAINED, drifts=drifts)


def test_a_drift_asks_for_a_training_and_says_which(tmp_path: Path) -> None:
    champion, model = tmp_path / "forecaster", record(TRAINED)
    assert drift_reason(champion, model, model) == ""
    keep_drift(champion, night(TRAINED + 2 * DAY, MOVED, LOST, replace(MOVED, drifted=False, name="other")))
    reason = drift_reason(champion, model, model)
    assert "vm_cpu_pct of vm (PSI 0.60, median 20 then, 60 now)" in reason
    assert "share inside the 80 % interval for disk (0.8 then, 0.55 now)" in reason
    assert "other" not in reason


def test_one_training_answers_a_drift_even_where_its_model_waits(tmp_path: Path) -> None:
    champion, model = tmp_path / "forecaster", record(TRAINED)
    keep_drift(champion, night(TRAINED + 2 * DAY, MOVED))
    keep_drift(champion, night(TRAINED + 3 * DAY, MOVED))
    known = read_drift(champion)
    assert known is not None
    assert known.since == TRAINED + 2 * DAY
    assert drift_reason(champion, model, record(TRAINED + 2 * DAY)) == ""
    assert drift_reason(champion, record(TRAINED + 2 * DAY), record(TRAINED + 2 * DAY)) == ""
    keep_drift(champion, night(TRAINED + 4 * DAY))
    assert drift_reason(champion, model, model) == ""
    keep_drift(champion, night(TRAINED + 5 * DAY, MOVED))
    assert "PSI" in drift_reason(champion, model, record(TRAINED + 2 * DAY))


def test_a_damaged_file_asks_for_nothing_and_is_replaced(tmp_path: Path) -> None:
    champion = tmp_path / "forecaster"
    (tmp_path / "forecaster-drift.json").write_bytes(b"{\xff")
    assert drift_reason(champion, record(TRAINED), record(TRAINED)) == ""
    keep_drift(champion, night(TRAINED + DAY, MOVED))
    assert drift_reason(champion, record(TRAINED), record(TRAINED))
