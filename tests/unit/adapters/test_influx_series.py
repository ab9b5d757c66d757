"""Series are numbered as a plain loop over rows would number them, however the rows are ordered."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brownout.adapters.influx.series_assembly import series_of

tag = st.sampled_from(["", "a", "b", None])


@given(rows=st.lists(st.tuples(tag, tag, tag), min_size=1, max_size=12))
def test_series_are_those_of_a_loop(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    columns = {
        name: pa.chunked_array([pa.array(values, pa.string())])
        for name, values in zip(("host", "cpu", "disk"), zip(*rows, strict=True), strict=True)
    }
    codes, named = series_of(columns)
    seen: dict[tuple[str | None, ...], int] = {}
    assert codes.tolist() == [seen.setdefault(row, len(seen)) for row in rows]
    expected = [{t: v for t, v in zip(columns, row, strict=True) if v} for row in seen]
    assert list(named) == expected
