"""JSON without the constants that only Python reads."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from brownout.store.plain_json import json_text, write_json


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
