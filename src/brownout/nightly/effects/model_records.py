"""Records of trainings, beside the models that they made; and whether a model must be trained again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from brownout.domain.encoding import decode
from brownout.domain.errors import DataError, ModelError
from brownout.domain.night import ModelRecord
from brownout.numerics.slots import days
from brownout.store.atomic import write_text
from brownout.store.plain_json import checked, read_json, with_checksum

__all__ = ["misfit", "read_record", "retraining_reason", "write_record"]

RECORD = "record.json"
GROWTH = 0.1
"""Share of the span learned from by which a history grows until a model is trained again: young fleets train often."""


def read_record(folder: Path) -> ModelRecord:
    """The record of the model in a folder; raises ModelError where nothing was trained yet."""
    try:
        return decode(ModelRecord, checked(read_json(folder / RECORD)))
    except (OSError, ValueError, DataError) as error:
        msg = f"{folder} holds no trained model: {error}."
        raise ModelError(msg, remedy="Run `brownout train` or `brownout nightly` first.") from error


def write_record(folder: Path, record: ModelRecord) -> None:
    """Put a record beside its model."""
    dates = {key: str(getattr(record, key).astype("datetime64[s]")) for key in ("trained_from", "trained_to")}
    write_text(folder / RECORD, json.dumps(with_checksum(asdict(record) | dates), indent=1))


def misfit(record: ModelRecord, facts: Mapping[str, str], end: np.datetime64) -> str:
    """Why a model cannot serve a night of a history that ends at a time; "" where it can.

    ``facts`` are the parameters that a training would have now.
    """
    changed = sorted(key for key, value in facts.items() if record.parameters.get(key) != value)
    if changed:
        return f"{', '.join(changed)} changed"
    if end - record.trained_to < -np.timedelta64(1, "s"):
        return "it has seen what came later"
    return ""


def retraining_reason(record: ModelRecord, facts: Mapping[str, str], end: np.datetime64, *, retrain_days: float) -> str:
    """Why a model must be trained again on a history that ends at a time; "" where it serves.

    ``facts`` are the parameters that a training would have now. The same data never trains twice.
    """
    unfit = misfit(record, facts, end)
    if unfit:
        return unfit
    newer = end - record.trained_to
    if newer > days(retrain_days):
        return f"it is older than {retrain_days:g} days"
    if newer > (record.trained_to - record.trained_from) * GROWTH:
        return "there is a tenth more history than it learned from"
    return ""
