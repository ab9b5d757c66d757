"""The month in short: each incident once, names as text, nights that cannot be read counted."""

from pathlib import Path

import pytest
from nights import HOSTILE, night

from brownout.domain.errors import HistoryError
from brownout.operate.night_archive.monthly_report import month_of, write_month
from brownout.reporting import render
from brownout.store.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for day in ("2026-03-16", "2026-03-17"):
        render(night(HOSTILE), tmp_path / "archive" / f"{day}T0215Z")
    render(night(), tmp_path / "archive" / "2026-04-01T0215Z")
    broken = tmp_path / "archive" / "2026-03-18T0215Z"
    broken.mkdir()
    (broken / "report.json").write_text("{")
    return Workspace(tmp_path)


def test_an_incident_of_two_nights_is_one(workspace: Workspace) -> None:
    month = month_of(workspace, "2026-03")
    assert (month.nights, month.unread) == (3, 1)
    assert len(month.incidents) == len(night().diagnoses)
    assert {number for _, _, number in month.breaches} == {2}


def test_it_is_written_as_text(workspace: Workspace) -> None:
    text = write_month(workspace, "2026-03").read_text()
    assert text.startswith("# 2026-03\n\n3 nights, 1 could not be read, 2 incidents.")
    assert "Host CPU saturated" in text
    assert "4 h" in text
    assert "<script>" not in text


def test_a_month_without_nights_says_which_there_are(workspace: Workspace) -> None:
    with pytest.raises(HistoryError, match="2026-03, 2026-04"):
        month_of(workspace, "2025-12")
