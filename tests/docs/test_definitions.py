"""Definitions as text: the comments of each file say what every key in it means."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parents[2] / "models"
DEPTHS = {
    "catalogue.toml": 2,
    "knowledge/causes.toml": 2,
    "knowledge/operations.toml": 3,
    "knowledge/remedies.toml": 2,
    "knowledge/symptoms.toml": 2,
    "knowledge/unknowns.toml": 2,
    "review.toml": 2,
    "rules.toml": 2,
    "simulation/drivers.toml": 2,
    "simulation/faults.toml": 2,
    "simulation/measurements.toml": 2,
    "telegraf.toml": 2,
}
"""How deep the tables lie whose keys have a fixed meaning."""
PLAIN = {"id", "kind", "says", "source", "title"}
"""Keys that mean what they say."""


def tables(part: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth == 0:
        yield from ([part] if isinstance(part, dict) else ())
        return
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from tables(inner, depth - 1)


@pytest.mark.parametrize("name", DEPTHS)
def test_comments_explain_every_key(name: str) -> None:
    text = (MODELS / name).read_text(encoding="utf-8")
    comments = " ".join(re.findall(r"^#.*$", text, re.MULTILINE))
    keys = {key for table in tables(tomllib.loads(text), DEPTHS[name]) for key in table} - PLAIN
    assert keys
    assert sorted(key for key in keys if not re.search(rf"\b{re.escape(key)}\b", comments)) == []
