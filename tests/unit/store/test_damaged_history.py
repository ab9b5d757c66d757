"""A history on a disk that rots: no flipped bit changes a value unseen, and a damaged week costs that week only."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brownout.domain.errors import HistoryError
from brownout.domain.repairs import Repair, Repairs
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.store.dataset import Dataset
from brownout.store.history import History, note_of
from brownout.store.integrity import set_aside

Write = Callable[..., Path]
WEEKS, HOURS = 3, 500


@pytest.fixture
def dataset(write_dataset: Write) -> Dataset:
    times = (np.datetime64("2026-03-04", "ms") + np.arange(HOURS) * np.timedelta64(3_600_000, "ms")).astype(str)
    columns = {name: [float(hour * place) for hour in range(HOURS)] * 2 for place, name in enumerate("mno", 1)}
    columns["m"][7] = float("inf")
    names = ["a"] * HOURS + ["b"] * HOURS
    return Dataset.open(write_dataset(columns, times=[*times] * 2, entities=names, header="interval_s = 3600\n"))


@pytest.fixture
def folder(dataset: Dataset, tmp_path: Path) -> Path:
    sync(DatasetSource(dataset), tmp_path / "history")
    return tmp_path / "history"


def content(folder: Path) -> tuple[pa.Table, Repairs, dict[str, object]]:
    history = History.open(folder)
    spans = dict(history.spans())
    return history.read(["a", "b"]).combine_chunks(), history.repairs(), spans


def test_pages_carry_checksums_and_the_note_those_of_footer_and_row_groups(folder: Path) -> None:
    for path in (folder / "samples").glob("*.parquet"):
        groups = pq.read_metadata(path).num_row_groups
        digits = note_of(path)["checksums"]
        assert len(digits) == 8 * (groups + 1)
        assert set(digits) != {"0"}
    damaged = bytearray(path.read_bytes())
    place = pq.read_metadata(path).row_group(0).column(2).data_page_offset + 60
    damaged[place] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(OSError, match=r"(?i)crc"):
        pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("damage", ["bit", "zeros", "cut", "empty"])
def test_damage_is_never_another_value(folder: Path, damage: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, repairs, spans = content(folder)
    path = sorted((folder / "samples").glob("*.parquet"))[rng.integers(WEEKS)]
    sound = path.read_bytes()
    for _ in range(10 if damage == "bit" else 3):
        spoilt = bytearray(sound)
        place = int(rng.integers(len(spoilt)))
        if damage == "bit":
            spoilt[place] ^= 1 << int(rng.integers(8))
        elif damage == "zeros":
            spoilt[place : place + 64] = bytes(len(spoilt[place : place + 64]))
        else:
            del spoilt[place if damage == "cut" else 0 :]
        path.unlink()
        path.write_bytes(spoilt)
        found, told, known = content(folder)
        if found.equals(whole):
            assert (told, known) == (repairs, spans) or Repair.DAMAGED in told.by_kind()
        else:
            assert told.by_kind()[Repair.DAMAGED] == 1
            assert 0 < found.num_rows < whole.num_rows
            assert set(map(str, found.to_pylist())) <= set(map(str, whole.to_pylist()))


def test_a_damaged_week_is_set_aside_and_brought_again_by_the_next_sync(dataset: Dataset, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "samples").iterdir()}
    first, *_ = sorted((folder / "samples").iterdir())
    first.write_bytes(first.read_bytes()[:-200])
    assert History.open(folder).repairs().by_kind()[Repair.DAMAGED] == 1
    result = sync(DatasetSource(dataset), folder)
    assert result.slices == 2
    assert {path.name: path.read_bytes() for path in (folder / "samples").iterdir()} == before
    told = History.open(folder).repairs().by_kind()
    assert Repair.DAMAGED not in told
    assert told[Repair.RESTORED] == 1


def test_a_file_that_was_read_again_is_told_for_a_day(dataset: Dataset, folder: Path) -> None:
    first, *_ = sorted((folder / "samples").iterdir())
    first.write_bytes(b"")
    sync(DatasetSource(dataset), folder)
    sync(DatasetSource(dataset), folder)
    assert History.open(folder).repairs().counts[Repair.RESTORED, first.name] == 1
    mark = folder / "restored" / first.name
    os.utime(mark, (0, 0))
    assert Repair.RESTORED not in History.open(folder).repairs().by_kind()
    sync(DatasetSource(dataset), folder)
    assert not mark.exists()


def test_a_week_that_the_source_no_longer_has_stays_told(dataset: Dataset, folder: Path) -> None:
    first, *_ = sorted((folder / "samples").iterdir())
    set_aside(first)
    table = pq.read_table(dataset.folder / "samples.parquet")
    kept = np.tile(np.arange(HOURS) >= 200, 2)
    pq.write_table(table.filter(pa.array(kept)), dataset.folder / "samples.parquet")
    for _ in range(2):
        sync(DatasetSource(Dataset.open(dataset.folder)), folder)
        assert History.open(folder).repairs().by_kind()[Repair.DAMAGED] == 1
    assert History.open(folder).repairs(since=np.datetime64("2026-03-20", "ms")).by_kind().get(Repair.DAMAGED) is None


DESCRIPTIONS = [
    b"", b"[]", b"null", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"format": 2}', b'{"format": "2"}',
    b'{"format": 2, "source": 3, "interval_s": 60, "watermark": null, "metrics": {}, "entities": []}',
    b'{"format": 2, "source": "made", "interval_s": 0, "watermark": null, "metrics": {}, "entities": []}',
    b'{"format": 2, "source": "made", "interval_s": 60, "watermark": "x", "metrics": {}, "entities": []}',
    b'{"format": 2, "source": "made", "interval_s": 60, "watermark": null, "metrics": [], "entities": []}',
    b'{"format": 2, "source": "made", "interval_s": 60, "watermark": null, "metrics": {"m": 3}, "entities": []}',
    b'{"format": 2, "source": "made", "interval_s": 60, "watermark": null, "metrics": {}, "entities": [{"id": 3}]}',
    b'{"format": 2, "source": "made", "interval_s": 60, "watermark": null, "metrics": {"m": {"limit": 1%s}}, '
    b'"entities": []}' % (b"0" * 400),
]  # fmt: skip


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_a_damaged_description_costs_one_slice(dataset: Dataset, folder: Path, text: bytes) -> None:
    whole = content(folder)[0]
    (folder / "history.json").write_bytes(text)
    assert content(folder)[0].equals(whole)
    assert sync(DatasetSource(dataset), folder).slices <= 2
    assert json.loads((folder / "history.json").read_text())["watermark"] is not None
    assert content(folder)[0].equals(whole)


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_where_both_descriptions_are_damaged_the_error_says_how_to_keep_the_samples(folder: Path, text: bytes) -> None:
    for name in ("history.json", "history.previous.json"):
        (folder / name).unlink()
        (folder / name).write_bytes(text)
    with pytest.raises(HistoryError, match=r"history\.json is damaged") as error:
        History.open(folder)
    assert "the files in" in error.value.remedy


def test_a_changed_digit_of_the_watermark_is_damage(dataset: Dataset, folder: Path) -> None:
    path = folder / "history.json"
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace('"watermark": "2026', '"watermark": "2096'))
    sync(DatasetSource(dataset), folder)
    assert str(History.open(folder).description.watermark).startswith("2026")


def test_without_any_description_the_samples_are_described_anew(dataset: Dataset, folder: Path) -> None:
    whole = content(folder)[0]
    for name in ("history.json", "history.previous.json"):
        (folder / name).rename(folder / f"{name}.old")
    sync(DatasetSource(dataset), folder)
    assert content(folder)[0].equals(whole)


def test_a_history_without_checksums_is_read(folder: Path) -> None:
    """Files of releases up to 0.1.0 have none."""
    whole = content(folder)[0]
    for path in (folder / "samples").glob("*.parquet"):
        table, note = pq.read_table(path), dict(note_of(path))
        del note["checksums"], note["slices"]
        plain = table.replace_schema_metadata({b"brownout": json.dumps(note).encode()})
        path.unlink()
        pq.write_table(plain, path)
    assert content(folder)[0].equals(whole)
    shutil.rmtree(folder)
