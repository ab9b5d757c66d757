import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel, as_time

START = np.datetime64("2026-03-02T00:10", "ms")


def panel_of(values: np.ndarray, start: np.datetime64 = START, interval_s: int = 300) -> Panel:
    entities = tuple(Entity(id=f"e{i}") for i in range(values.shape[0]))
    metrics = tuple(Metric(name=f"m{i}") for i in range(values.shape[2]))
    return Panel(values.astype(np.float32), start, interval_s, entities, metrics)


@pytest.mark.parametrize(
    "text", ["2026-03-02T00:00:00Z", "2026-03-02 00:00:00+00:00", "2026-03-02", "2026-03-02T00:00:00.000"]
)
def test_a_time_is_read_in_every_spelling_of_utc(text: str) -> None:
    assert as_time(text) == np.datetime64("2026-03-02T00:00:00.000", "ms")


def test_between_cuts_at_slot_starts_and_clips_to_what_there_is() -> None:
    panel = panel_of(np.arange(6.0).reshape(1, 6, 1))
    cut = panel.between(START + np.timedelta64(1, "m"), START + np.timedelta64(20, "m"))
    assert cut.values[0, :, 0].tolist() == [1, 2, 3]
    assert cut.start == START + np.timedelta64(5, "m")
    assert panel.between(START - np.timedelta64(9, "D"), START + np.timedelta64(9, "D")).values.shape == (1, 6, 1)
    assert panel.between(START + np.timedelta64(9, "D"), START + np.timedelta64(10, "D")).values.shape == (1, 0, 1)


def test_coarsening_averages_what_was_measured_on_aligned_slots() -> None:
    values = np.array([1, 2, 3, np.nan, 5, np.nan, np.nan, np.nan]).reshape(1, 8, 1)
    coarse = panel_of(values, interval_s=300).coarsen(3)
    # 00:10 is the third slot of its quarter, so the first wide slot holds one value.
    assert coarse.start == np.datetime64("2026-03-02T00:00", "ms")
    assert coarse.interval_s == 900
    np.testing.assert_allclose(coarse.values[0, :, 0], [1, 2.5, 5, np.nan])


def test_measured_drops_metrics_nobody_has() -> None:
    values = np.full((2, 3, 2), np.nan)
    values[1, 2, 1] = 7
    assert panel_of(values).measured().metric_names == ("m1",)


def test_select_keeps_the_order_asked_for() -> None:
    picked = panel_of(np.arange(8.0).reshape(2, 2, 2)).select(entities=[1, 0], metrics=[1])
    assert picked.entity_ids == ("e1", "e0")
    assert picked.values[:, :, 0].tolist() == [[5, 7], [1, 3]]


def test_values_of_another_shape_or_type_are_refused() -> None:
    with pytest.raises(DataError, match=r"1 entities and 1 metrics cannot hold"):
        Panel(np.zeros((2, 3, 1), np.float32), START, 60, (Entity(id="a"),), (Metric(name="m"),))
    with pytest.raises(DataError, match="float64"):
        Panel(np.zeros((1, 3, 1)), START, 60, (Entity(id="a"),), (Metric(name="m"),))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="interval 0 s"):
        Panel(np.zeros((1, 3, 1), np.float32), START, 0, (Entity(id="a"),), (Metric(name="m"),))
