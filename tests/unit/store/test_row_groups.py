"""Reading only the row groups that can hold an entity finds what reading everything finds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.ports import Span
from brownout.domain.repairs import Repairs
from brownout.ingest.spans import spans_of
from brownout.store import row_groups
from brownout.store.history import samples_schema, write_samples
from brownout.store.parquet import ROWS_A_GROUP
from brownout.store.row_groups import RowGroups, files_holding, row_ranges_of

SCHEMA = samples_schema([Metric.from_table("load", {"kind": "gauge"})])
names = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4), min_size=1, max_size=8)


def write(path: Path, entities: list[str]) -> None:
    rows = len(entities)
    times = pa.array(np.arange(rows)).cast(pa.timestamp("ms", "UTC"))
    coded = pa.array(entities, pa.string()).dictionary_encode()
    table = pa.table([times, coded, pa.array(np.arange(rows, dtype=np.float32))], names=SCHEMA.names)
    pq.write_table(table.cast(SCHEMA), path, row_group_size=2)


@given(stored=names, asked=names)
def test_equals_a_filter_over_everything(
    tmp_path_factory: pytest.TempPathFactory, stored: list[str], asked: list[str]
) -> None:
    path = tmp_path_factory.mktemp("groups") / "samples.parquet"
    write(path, stored)
    condition = pads.field("entity").isin([*asked, stored[-1]])
    found = files_holding([path], [*asked, stored[-1]], SCHEMA).to_table(filter=condition)
    assert found.equals(pads.dataset(str(path), schema=SCHEMA).to_table(filter=condition))


def test_other_groups_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ["a", "a", "b", "b", "c", "c"])
    write(tmp_path / "b.parquet", ["a", "a", "c", "c"])
    found = files_holding([tmp_path / "a.parquet", tmp_path / "b.parquet"], ["b"], SCHEMA)
    assert [group.id for fragment in found.get_fragments() for group in fragment.row_groups] == [1]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    write(path, ["a", "a", "b"])
    assert files_holding([path], ["c"], SCHEMA).count_rows() == 0
    write(tmp_path / "other", ["c"])
    (tmp_path / "other").replace(path)
    assert files_holding([path], ["c"], SCHEMA).count_rows() == 1


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "samples.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(HistoryError, match=r"samples\.parquet is damaged"):
        files_holding([tmp_path / "samples.parquet"], ["a"], SCHEMA)


@given(stored=names, asked=names)
def test_groups_from_places_hold_all_rows_of_what_is_asked(
    tmp_path_factory: pytest.TempPathFactory, stored: list[str], asked: list[str]
) -> None:
    path = tmp_path_factory.mktemp("places") / "samples.parquet"
    write(path, stored)
    row_ranges = row_ranges_of(pq.read_table(path)["entity"])
    assert row_ranges == {name: (stored.index(name), len(stored) - 1 - stored[::-1].index(name)) for name in stored}
    chosen = {name: row_ranges[name] for name in asked if name in row_ranges}
    condition = pads.field("entity").isin(asked)
    found = RowGroups(path).holding(chosen).to_table(filter=condition)
    expected = pads.dataset(str(path), schema=SCHEMA).to_table(filter=condition)
    assert found["time"].equals(expected["time"])
    assert not chosen or found["load"].equals(expected["load"])


def test_columns_without_a_value_in_the_chosen_groups_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    metrics = [Metric.from_table(name, {"kind": "gauge"}) for name in ("load", "latency", "unused")]
    schema = samples_schema(metrics)
    times = pa.array(np.arange(4)).cast(pa.timestamp("ms", "UTC"))
    coded = pa.array(["a", "a", "b", "b"]).dictionary_encode()
    values = ([1.0, 2.0, None, None], [None, None, None, float("nan")], [None] * 4)
    columns = [pa.array(column, pa.float32()) for column in values]
    pq.write_table(pa.table([times, coded, *columns], names=schema.names).cast(schema), path, row_group_size=2)
    for asked, expected in ((["a"], ["load"]), (["b"], ["latency"]), (["a", "b"], ["load", "latency"]), (["c"], [])):
        assert files_holding([path], asked, schema).to_table().column_names[2:] == expected
        row_ranges = {name: {"a": (0, 1), "b": (2, 3)}[name] for name in asked if name in "ab"}
        assert RowGroups(path).holding(row_ranges).to_table().column_names[2:] == expected


def test_groups_without_the_places_or_the_names_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ["a", "a", "b", "b", "c", "c", "a", "a", "b", "b"])
    for row_ranges, groups in (({"b": (2, 3)}, [1]), ({"a": (0, 7)}, [0, 3]), ({"b": (2, 9), "c": (4, 5)}, [1, 2, 4])):
        (part,) = RowGroups(tmp_path / "a.parquet").holding(row_ranges).get_fragments()
        assert [group.id for group in part.row_groups] == groups
    assert RowGroups(tmp_path / "a.parquet").holding({}).count_rows() == 0


def test_a_written_file_says_where_its_entities_are(tmp_path: Path) -> None:
    """Kinds lie one after the other, and the names of one lie between those of another."""
    path = tmp_path / "samples.parquet"
    parts = []
    for names in (["vm1"] * (ROWS_A_GROUP - 1) + ["vm3"] * 2, ["vm2/console"] * ROWS_A_GROUP + ["vm4/console"]):
        times = pa.array(np.arange(len(names))).cast(pa.timestamp("ms", "UTC"))
        coded = pa.array(names, pa.string()).dictionary_encode()
        load = pa.array(np.arange(len(names), dtype=np.float32))
        parts.append((pa.table([times, coded, load], names=SCHEMA.names), Repairs()))
    write_samples(path, SCHEMA, parts)
    for asked, groups in (("vm1", [0]), ("vm3", [0, 1]), ("vm2/console", [2]), ("vm4/console", [3]), ("vm2", [])):
        found = files_holding([path], [asked], SCHEMA)
        assert [group.id for part in found.get_fragments() for group in part.row_groups] == groups
    table = files_holding([path], ["vm3", "vm4/console"], SCHEMA).to_table()
    assert table["entity"].to_pylist()[-2:] == ["vm3", "vm4/console"]


@pytest.mark.parametrize("order", ["entity", "time", "chance", "twice"])
@pytest.mark.parametrize("at_once", [1, 7, 64, 10_000])
def test_keys_read_in_parts_say_what_the_whole_columns_do(
    tmp_path: Path, order: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    names = np.repeat(["d", "a", "c", "b", "e"], [60, 1, 80, 40, 30])
    times = np.concatenate(
        [np.arange(size) * 60_000 + start for size, start in ((60, 0), (1, 9), (80, 5), (40, 0), (30, 7))]
    )
    times[90] += np.timedelta64(90, "D") // np.timedelta64(1, "ms")
    rows = {
        "entity": np.arange(len(names)),
        "time": np.argsort(times, kind="stable"),
        "chance": rng.permutation(len(names)),
        "twice": np.concatenate([np.arange(0, len(names), 2), np.arange(1, len(names), 2)]),
    }[order]
    entities = pa.array(names[rows].tolist()).dictionary_encode()
    nameless = pa.array(rng.random(len(names)) < 0.05)
    entities = pc.if_else(nameless, pa.scalar(None, entities.type), entities)
    table = pa.table({"time": pa.array(times[rows], pa.timestamp("ms", "UTC")), "entity": entities, "m": rows * 1.0})
    pq.write_table(table, tmp_path / "samples.parquet", row_group_size=23)
    monkeypatch.setattr(row_groups, "AT_ONCE", at_once)
    row_ranges = row_groups.row_ranges_in(tmp_path / "samples.parquet")
    assert dict(row_ranges) == dict(row_groups.row_ranges_of(table["entity"]))
    assert dict(row_groups.spans_in(tmp_path / "samples.parquet", row_ranges, None)) == dict(spans_of(table, None))


def test_few_rows_are_held_of_a_file_that_is_ordered_by_entity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = np.repeat([f"vm{number:02}" for number in range(50)], 40)
    times = pa.array(np.tile(np.arange(40) * 60_000, 50), pa.timestamp("ms", "UTC"))
    table = pa.table({"time": times, "entity": pa.array(names.tolist()).dictionary_encode()})
    pq.write_table(table, tmp_path / "samples.parquet", row_group_size=100)
    sizes: list[int] = []

    def counted(rows: pa.Table, interval_s: int | None) -> Mapping[str, Span]:
        sizes.append(rows.num_rows)
        return spans_of(rows, interval_s)

    monkeypatch.setattr(row_groups, "AT_ONCE", 128)
    monkeypatch.setattr(row_groups, "spans_of", counted)
    row_ranges = row_groups.row_ranges_in(tmp_path / "samples.parquet")
    assert len(row_groups.spans_in(tmp_path / "samples.parquet", row_ranges, 60)) == 50
    assert max(sizes) <= 3 * 128
