"""Line protocol, against a parser written from its description."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brownout.ingest.line_protocol import Points, batches, encode

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
SPLIT = re.compile(r"(?<!\\)([, =])")


def parsed(line: str) -> tuple[str, dict[str, str]]:
    """Measurement and tags of a line."""
    head = re.split(r"(?<!\\) ", line, maxsplit=1)[0]
    name, *pairs = re.split(r"(?<!\\),", head)
    tags = dict(re.split(r"(?<!\\)=", pair, maxsplit=1) for pair in pairs)
    plain = lambda text: re.sub(r"\\([,= ])", r"\1", text)  # noqa: E731
    return plain(name), {plain(key): plain(value) for key, value in tags.items()}


@given(name=TEXT, key=TEXT, value=TEXT)
def test_names_come_back(name: str, key: str, value: str) -> None:
    points = Points(
        measurement=name, tags=[{key: value}], series=np.array([0]), times=np.array([5]), fields={"f": np.array([1.5])}
    )
    (line,) = encode(points).to_pylist()
    safe = [text + " " if text.endswith("\\") else text for text in (name, key, value)]
    assert parsed(line) == (safe[0], {safe[1]: safe[2]})
    assert line.endswith(" f=1.5 5")


def test_absent_fields_empty_rows_and_empty_tags_are_left_out() -> None:
    points = Points(
        measurement="m",
        tags=[{"a": "", "b": "x"}],
        series=np.zeros(4, np.int64),
        times=np.arange(4),
        fields={"f": np.array([1.0, np.nan, np.nan, np.inf]), "g": np.array([np.nan, 2e20, np.nan, np.nan])},
        texts={"t": [None, None, None, 'say "x"\\, ok']},
    )
    assert encode(points).to_pylist() == ["m,b=x f=1 0", "m,b=x g=2e+20 1", 'm,b=x t="say \\"x\\"\\\\, ok" 3']


def test_many_rows_with_gaps_are_all_there() -> None:
    number = 200_000
    values = np.arange(number, dtype=float)
    values[::7] = np.nan
    points = Points(
        measurement="m", tags=[{}], series=np.zeros(number, np.int64), times=np.arange(number), fields={"f": values}
    )
    lines = "".join(batches(points, 999)).splitlines()
    assert [int(line.rpartition(" ")[2]) for line in lines] == np.flatnonzero(np.isfinite(values)).tolist()
