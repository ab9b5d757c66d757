"""How often a source is gathered, and values that hold until the next sample."""

import numpy as np
import pytest

from brownout.ingest.slot_frame import RawFrame, gathered_every


def frame(*times: list[int]) -> RawFrame:
    """Series with samples at so many seconds."""
    moments = np.array([second * 1000 for own in times for second in own], np.int64)
    series = np.repeat(np.arange(len(times)), [len(own) for own in times])
    nothing = np.full(len(moments), np.nan)
    return RawFrame(
        fields={},
        series=series,
        times=moments,
        slots=moments // 60_000,
        owner=np.arange(len(times)),
        lookup=lambda _measurement, _field: nothing,
        lookup_rate=lambda _measurement, _field: nothing,
    )


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([list(range(0, 600, 60))], 60),
        ([list(range(0, 600, 10))], 60),
        ([list(range(0, 3600, 300))], 300),
        ([[0, 301, 599, 902, 1200], [7, 308, 610]], 300),
        ([[0, 60, 120, 180, 1800, 1860, 1920]], 60),  # a gap is no rhythm
        ([[0, 300]], 60),  # one distance says nothing
        ([list(range(0, 86_400, 7200))], 3600),
        ([[]], 60),
    ],
)
def test_the_rhythm_of_a_source(times: list[list[int]], expected: int) -> None:
    assert gathered_every(frame(*times), 60) == expected
