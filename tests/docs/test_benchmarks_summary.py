"""The summary of benchmarks: its figures are those of the long tables, its ratios follow from them, losses are bold."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (DOCS / "benchmarks-summary.md").read_text().splitlines()
    if line.startswith("|") and "---" not in line
][1:]
FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def figure(cell: str) -> str:
    found = FIGURE.search(cell)
    assert found is not None, cell
    return found[0]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_line_says_what_the_long_tables_say(row: list[str]) -> None:
    long = (DOCS / "benchmarks.md").read_text()
    ours, peer, ratio = (figure(cell) for cell in row[2:5])
    places = [long] if "published" in row[3] else re.findall(r"(?:^\|.*\n)+", long, re.MULTILINE)
    shown = [re.compile(rf"(?<![\d.,]){re.escape(figure)}") for figure in (ours, peer)]
    assert any(all(one.search(place) for one in shown) for place in places), f"no table has {ours} and {peer}"
    a, b = (float(text.replace(",", "")) for text in (ours, peer))
    digits = len(ratio.partition(".")[2])
    assert float(ratio) in {round(a / b, digits), round(b / a, digits)}
    assert ("**" in row[4]) == (float(ratio) < 1)


def test_there_are_losses() -> None:
    assert sum("**" in row[4] for row in ROWS) >= 5


def test_what_reruns_a_line_is_a_program() -> None:
    named = [name for row in ROWS for name in re.findall(r"benchmarks/[\w/]+\.py", row[5])]
    assert len(named) >= 8
    assert [name for name in named if "__main__" not in (DOCS.parent / name).read_text()] == []
