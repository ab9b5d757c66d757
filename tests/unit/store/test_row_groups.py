"""Reading only the row groups that can hold an entity finds what reading everything finds."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.domain.errors import HistoryError
from brownout.domain.metrics import Metric
from brownout.store.history import samples_schema
from brownout.store.row_groups import RowGroups, files_holding, places_of

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
    places = places_of(pq.read_table(path)["entity"])
    assert places == {name: (stored.index(name), len(stored) - 1 - stored[::-1].index(name)) for name in stored}
    chosen = {name: places[name] for name in asked if name in places}
    condition = pads.field("entity").isin(asked)
    found = RowGroups(path).holding(chosen).to_table(filter=condition)
    assert found["load"].equals(pads.dataset(str(path), schema=SCHEMA).to_table(filter=condition)["load"])


def test_groups_without_the_places_or_the_names_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ["a", "a", "b", "b", "c", "c", "a", "a", "b", "b"])
    for places, groups in (({"b": (2, 3)}, [1]), ({"a": (0, 7)}, [0, 3]), ({"b": (2, 9), "c": (4, 5)}, [1, 2, 4])):
        (part,) = RowGroups(tmp_path / "a.parquet").holding(places).get_fragments()
        assert [group.id for group in part.row_groups] == groups
    assert RowGroups(tmp_path / "a.parquet").holding({}).count_rows() == 0
