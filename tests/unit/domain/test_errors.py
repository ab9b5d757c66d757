"""Errors travel between processes with all that they say."""

import copy
import pickle
from pathlib import Path

import pytest

from brownout.domain.errors import AlertError, BrownoutError, HistoryError, TrackingError
from brownout.store.integrity.checksums import DamagedFileError


@pytest.mark.parametrize(
    "error",
    [
        HistoryError("what", remedy="remedy"),
        TrackingError("what", remedy="remedy", transient=True),
        AlertError("what", remedy="remedy", uncertain=True),
        DamagedFileError(Path("samples/2026-03-02.parquet"), "cut short"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_it_was_sent(error: BrownoutError) -> None:
    for arrived in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        assert vars(arrived) == vars(error)
