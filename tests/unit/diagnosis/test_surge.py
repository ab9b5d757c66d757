"""Surges against a naive loop, and what they are made to ignore."""

import numpy as np
import pytest

from brownout.diagnosis.evidence.surge import EARLY, LOOKBACK, PEER_SHARE, surges
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric, Role
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
CPU = Metric(name="cpu", role=Role.CPU)


def panel(values: np.ndarray) -> Panel:
    entities = tuple(Entity(id=f"s{row}") for row in range(len(values)))
    return Panel(values[:, :, None].astype(np.float32), START, 5, entities, (CPU,))


def naive(values: list[float], usual_of_peers: float, first: int, last: int) -> tuple[float, float]:
    """The definition, one series at a time: gaps are left out, values are medians of three."""
    smooth = []
    for slot in range(len(values)):
        near = [v for v in values[max(slot - 1, 0) : slot + 2] if np.isfinite(v)]
        smooth.append(float(np.median(near)) if near else float("nan"))
    lead = min(LOOKBACK, first // 3)
    past = sorted(v for v in values[: first - lead] if np.isfinite(v))
    usual = past[int(0.5 * (len(past) - 1))]
    floor = PEER_SHARE * usual_of_peers
    reached = np.log((past[-1] + floor) / (usual + floor))

    def most(part: list[float]) -> float:
        return max(max(np.log((v + floor) / (usual + floor)) for v in part if np.isfinite(v)) - reached, 0.0)

    within = smooth[first - lead : last]
    return most(within), most(within[: lead + EARLY])


def test_surges_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 0.3, (4, 160))
    values[1, 125:] *= 20
    values[rng.random(values.shape) < 0.1] = np.nan
    first = 100
    start, end = START + np.timedelta64(500, "s"), START + np.timedelta64(750, "s")
    found = surges([panel(values)], start, end)
    usual = []
    for row in values:
        seen = sorted(v for v in row[:first] if np.isfinite(v))
        usual.append(seen[int(0.5 * (len(seen) - 1))])
    for row in range(4):
        whole, early = naive(values[row].tolist(), float(np.median(usual)), first, 150)
        assert found[f"s{row}", "cpu"].whole == pytest.approx(whole, abs=1e-5)
        assert found[f"s{row}", "cpu"].early == pytest.approx(early, abs=1e-5)
    assert found["s1", "cpu"].whole > 2
    assert found["s1", "cpu"].early < found["s1", "cpu"].whole


def test_a_surge_has_no_unit() -> None:
    values = np.random.default_rng(1).lognormal(0, 0.3, (3, 120))
    values[0, 100:] *= 5
    start, end = START + np.timedelta64(500, "s"), START + np.timedelta64(600, "s")
    one, other = surges([panel(values)], start, end), surges([panel(1000 * values)], start, end)
    for key, surge in one.items():
        assert other[key].whole == pytest.approx(surge.whole, abs=1e-4)


def test_what_the_past_has_seen_is_no_surge_and_idlers_do_not_surge_by_waking_up() -> None:
    values = np.ones((3, 120))
    values[0, [20, 21, 22, 110, 111, 112]] = 9
    values[1] = 1e-6
    values[1, 105:] = 1e-3
    found = surges([panel(values)], START + np.timedelta64(500, "s"), START + np.timedelta64(600, "s"))
    assert found["s0", "cpu"].whole == 0
    assert found["s1", "cpu"].whole < 0.02
