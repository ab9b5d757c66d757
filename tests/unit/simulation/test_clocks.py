"""Clocks that are set, against a database that keeps the last point of each time and a collector that reads it back."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.metrics import Catalogue
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.physics.host_clocks import RATES, stamped


def naive(true: np.ndarray, ahead: list[int]) -> list[tuple[float, float]]:
    """A gauge and the rate of a counter, read back from points that overwrite each other: NaN where there is none."""
    points, counter = {}, 0.0
    for slot, (gauge, rate) in enumerate(true.tolist()):
        counter += rate
        points[slot + ahead[slot]] = (gauge, counter)
    found, before = [], None
    for slot in range(len(true)):
        if slot not in points:
            found.append((np.nan, np.nan))
            continue
        gauge, counter = points[slot]
        grown = counter if before is None else counter - before[1]
        found.append((gauge, grown / (slot + 1 if before is None else slot - before[0])))
        before = (slot, counter)
    return found


@pytest.mark.parametrize(("first", "last", "ahead"), [(5, 20, 4), (5, 20, 1), (5, 9, 4), (5, 8, 6), (12, 30, 5)])
def test_what_stands_in_the_database_is_what_a_loop_over_points_says(first: int, last: int, ahead: int) -> None:
    true = np.random.default_rng(first + ahead).uniform(1, 9, (30, 2))
    offset = np.zeros(30, np.int64)
    offset[first:last] = ahead
    found = stamped(true[None], offset[None], np.array([False, True]))[0]
    expected = naive(true, offset.tolist())
    assert np.isnan(found[first : min(first + ahead, last)]).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_only_what_the_host_stamps_moves_and_the_offset_shows_it() -> None:
    assert set(Catalogue.load().metrics) >= RATES
    plain = FleetSettings(hosts=2, vms=4, days=2, interval_s=60, seed=4, faults=1, lead=0.5, signatures=True)
    clean, moved = (simulate(replace(plain, only_causes=("ART-08",), faults=faults)).panels for faults in (0, 1))
    differ = {kind: not np.array_equal(clean[kind].values, moved[kind].values, equal_nan=True) for kind in clean}
    assert differ == {"host": True, "disk": True, "path": True, "interface": True, "vm": True, "link": False,
                      "console": False}  # fmt: skip
    offset = moved["host"].values[..., moved["host"].metric_names.index("host_clock_offset_ms")]
    assert (offset > 250_000).any(axis=1).sum() == 1
    assert np.nanmax(offset[offset < 250_000]) < 30
    for panel in moved.values():
        upper = np.array([metric.upper for metric in panel.metrics], np.float32)
        assert not (panel.values > upper).any(), panel.entities[0].kind
