"""When a model is trained again."""

import json
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import ModelError
from brownout.domain.night import ModelRecord
from brownout.nightly.effects.model_records import read_record, retraining_reason, write_record

END = np.datetime64("2026-03-30T00:00", "s")
DAY = np.timedelta64(1, "D").astype("timedelta64[s]")
FACTS = {"seed": "0", "metrics": "a, b"}


def record(days: float = 20) -> ModelRecord:
    start = END - np.timedelta64(int(days * 86_400), "s")
    return ModelRecord(
        name="m", uri="", trained_from=start, trained_to=END, seed=0, lock="x", parameters=FACTS | {"start": "fresh"}
    )


@pytest.mark.parametrize(
    ("days_learned", "days_later", "facts", "says"),
    [
        (20, 0, FACTS, ""),
        (20, 1, FACTS, ""),
        (20, 3, FACTS, "a tenth more"),
        (200, 8, FACTS, "older than 7 days"),
        (20, -1, FACTS, "came later"),
        (20, 0, FACTS | {"seed": "1"}, "seed changed"),
        (20, 0, FACTS | {"metrics": "a, b, c"}, "metrics changed"),
        (1, 0.2, FACTS, "a tenth more"),
    ],
)
def test_a_model_serves_until_it_is_old_or_what_it_was_made_of_changes(
    days_learned: float, days_later: float, facts: dict[str, str], says: str
) -> None:
    end = END + np.timedelta64(int(days_later * 86_400), "s")
    reason = retraining_reason(record(days_learned), facts, end, retrain_days=7)
    assert (says in reason) if says else not reason


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    assert read_record(tmp_path) == record()


WRONG_TIMES = '{"name":"m","uri":"","trained_from":5,"trained_to":1}'


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, "{}", '{"name": 3}', WRONG_TIMES])
def test_a_damaged_record_is_no_trained_model(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ModelError, match="holds no trained model"):
        read_record(tmp_path)


def test_a_changed_digit_of_a_record_is_damage_and_one_without_checksum_is_read(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    path = tmp_path / "record.json"
    text = path.read_text()
    path.write_text(text.replace('"trained_to": "2026', '"trained_to": "2096'))
    with pytest.raises(ModelError, match="checksum"):
        read_record(tmp_path)
    table = json.loads(text)
    del table["checksum"]
    path.write_text(json.dumps(table))
    assert read_record(tmp_path) == record()
