"""JSON without the constants that only Python reads."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import DataError
from brownout.store.plain_json import json_text, json_value, read_result, write_json


def refuse(constant: str) -> float:
    msg = f"{constant} is not JSON"
    raise AssertionError(msg)


def test_figures_that_are_not_finite_are_null_at_any_depth(tmp_path: Path) -> None:
    value = {
        "a": [1.5, math.nan, (math.inf, np.float32("-inf"))],
        "b": {"c": math.nan, "d": "NaN"},
        "e": 3,
        "f": np.int64(2),
    }
    write_json(tmp_path / "scores.json", value)
    read = json.loads((tmp_path / "scores.json").read_text(), parse_constant=refuse)
    assert read == {"a": [1.5, None, [None, None]], "b": {"c": None, "d": "NaN"}, "e": 3, "f": 2}


def test_what_json_does_not_know_is_text() -> None:
    assert json.loads(json_text({"when": np.datetime64("2026-03-02")})) == {"when": "2026-03-02"}


@pytest.mark.parametrize("figure", [0.1, -1e300, 5])
def test_finite_figures_stay_what_they_are(figure: float) -> None:
    assert json.loads(json_text([figure])) == [figure]


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "-1e999", "1" + "0" * 400])
def test_numbers_that_arithmetic_cannot_do_with_are_refused(text: str) -> None:
    assert json_value("[1, -2.5, 1e300]", finite=True) == [1, -2.5, 1e300]
    with pytest.raises(ValueError, match="in place of a number"):
        json_value(f"[{text}]", finite=True)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("made", [a_pipe, without_end, a_circle, Path.mkdir])
def test_what_is_no_file_is_told_at_once(tmp_path: Path, made: Callable[[Path], None]) -> None:
    path = tmp_path / "state.json"
    made(path)
    with pytest.raises(DataError, match=r"state\.json cannot be read"):
        read_result(int, path)


@pytest.mark.parametrize("content", [b"", b"[", b"[" * 100_000, b"null", b"\xff\xfe", b'"x"', b"1" * 5000])
def test_content_of_another_kind_is_told_with_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"state\.json cannot be read"):
        read_result(int, path)
