"""Missed nights: which are made, in which order, and which never."""

import numpy as np

from brownout.operate.night_archive.missed_nights import MOST_MISSED, missed_nights

NOW = np.datetime64("2026-03-20T02:15", "ms")


def missed(*archived: str, most: int = 7, until: np.datetime64 = NOW) -> list[str]:
    return [str(time.astype("datetime64[m]")) for time in missed_nights(archived, NOW, until=until, most=most)]


def test_the_nights_since_the_last_one_are_made_oldest_first() -> None:
    assert missed("2026-03-16T0215Z", "2026-03-15T0215Z") == [
        "2026-03-17T02:15",
        "2026-03-18T02:15",
        "2026-03-19T02:15",
    ]


def test_a_night_that_was_made_is_not_made_again() -> None:
    assert missed("2026-03-19T0210Z") == []
    assert missed("2026-03-19T0650Z") == []  # a late one
    assert missed("2026-03-20T0215Z") == []


def test_there_is_an_end_to_it() -> None:
    assert len(missed("2025-01-01T0000Z")) == 7
    assert len(missed("2025-01-01T0000Z", most=1000)) == MOST_MISSED
    assert missed("2026-03-16T0215Z", most=0) == []


def test_before_the_first_night_none_was_missed() -> None:
    assert missed() == []


def test_a_night_without_new_data_is_none() -> None:
    """A data set that does not grow has the same last night for ever."""
    assert missed("2026-01-16T0215Z", until=np.datetime64("2026-01-16T02:14", "ms")) == []
    reaches = np.datetime64("2026-03-18T00:00", "ms")
    assert missed("2026-03-16T0215Z", until=reaches) == ["2026-03-17T02:15", "2026-03-18T02:15"]
