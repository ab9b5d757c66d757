"""What has hours of past follows its peers: whose, at which level, how far, and never what came later."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from panels import METRICS, waves
from scipy.stats import norm

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float, Panel
from brownout.forecasting.cold_start.newcomer_forecasts import (
    AGES_H,
    ColdStart,
    age_classes,
    forecast_newcomers,
    learn_cold_start,
)
from brownout.forecasting.cold_start.sibling_paths import FLOOR, SiblingForecasts, sibling_paths, siblings_with_past
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.selection.calibration import Calibration
from brownout.forecasting.series_rows import rows_of

STEPS, DAY = 24, 48
LADDER = norm.ppf(QUANTILES).astype(np.float32)
TINY = LstmSettings(context=96, horizon=STEPS, hidden=8, steps=5, batch=16)


def flat(*levels: float, days: int = 4, kind: str = "vm") -> Panel:
    """One metric, half hours, each entity at its own level."""
    values = np.ones((len(levels), days * DAY, 1), np.float32) * np.array(levels, np.float32)[:, None, None]
    entities = tuple(Entity(id=f"{kind}{row}", kind=kind) for row in range(len(levels)))
    return Panel(values, np.datetime64("2026-03-02T00:00", "ms"), 1800, entities, METRICS[:1])


def rising(panel: Panel, slots: Sequence[int], by: float = 0.5) -> Forecasts:
    """Every series is forecast to rise by a share of its last value, with a spread of a tenth of it."""
    rows = rows_of(panel, slots)
    last = panel.values[rows.entities, rows.origins, rows.metrics][:, None, None]
    climb = by * np.arange(1, STEPS + 1, dtype=np.float32)[None, :, None] / STEPS
    return rows.forecasts(last * (1 + climb + 0.1 * LADDER), "lstm")


def young(panel: Panel, row: int, slots: int) -> Panel:
    values = panel.values.copy()
    values[row, : values.shape[1] - slots] = np.nan
    return replace(panel, values=values)


@pytest.mark.parametrize("levels", [(10, 40, 20), (10, 40)])
def test_the_path_is_the_median_of_the_peers_moved_to_the_level_of_the_newcomer(levels: tuple[float, ...]) -> None:
    old = flat(*levels)
    origin = old.values.shape[1] - 1
    made = rising(old, [origin])
    made = replace(made, values=made.values * np.array([1, 1.1, 0.9], np.float32)[: len(levels), None, None])
    new = young(replace(flat(30), entities=(Entity(id="new", kind="vm"),)), 0, 4)
    found = sibling_paths(rows_of(new, [origin]), DAY, [SiblingForecasts(old, origin, made)])
    floor = FLOOR * sum(levels) / len(levels)
    moved = [30 + (made.values[row] - level) * (30 + floor) / (level + floor) for row, level in enumerate(levels)]
    np.testing.assert_allclose(found[0], np.median(moved, axis=0), rtol=1e-4)


def test_a_peers_level_is_that_of_the_hours_the_newcomer_has() -> None:
    old = flat(10)
    origin = old.values.shape[1] - 1
    old.values[0, origin - 3 :] = 20  # twice its level since the newcomer came
    new = young(replace(flat(20), entities=(Entity(id="new", kind="vm"),)), 0, 4)
    found = sibling_paths(rows_of(new, [origin]), DAY, [SiblingForecasts(old, origin, rising(old, [origin]))])
    np.testing.assert_allclose(found[0, -1, 4], 30, rtol=1e-3)


def test_without_a_peer_that_carries_the_metric_there_is_no_path() -> None:
    old = replace(flat(10), metrics=METRICS[1:])
    origin = old.values.shape[1] - 1
    new = young(replace(flat(30), entities=(Entity(id="new", kind="vm"),)), 0, 4)
    paths = sibling_paths(rows_of(new, [origin]), DAY, [SiblingForecasts(old, origin, rising(old, [origin]))])
    assert np.isnan(paths).all()


def both(panel: Panel, slots: Sequence[int]) -> tuple[Forecasts, Forecasts]:
    return rising(panel, slots, by=0), rising(panel, slots)


def test_peers_are_of_the_kind_with_a_day_of_past_and_measured_lately() -> None:
    panel = flat(10, 20, 30, 40)
    panel.values[1, : 3 * DAY + 2] = np.nan  # less than a day
    panel.values[2, 2 * DAY :] = np.nan  # gone
    hosts, early = flat(5, kind="host"), flat(50, days=2, kind="vmx")
    at = panel.times[-1]
    (found,) = siblings_with_past([Entity(id="vm9", kind="vm")], at, [panel, hosts, early], both)
    assert found.panel.entity_ids == ("vm0", "vm3")
    assert (found.origin, len(found.forecasts.series)) == (panel.values.shape[1] - 1, 2)
    assert siblings_with_past([Entity(id="vm0", kind="vm")], at, [panel], both)[0].panel.entity_ids == ("vm3",)
    assert siblings_with_past([Entity(id="host9", kind="host")], panel.start, [hosts], both) == ()


@pytest.mark.parametrize(("slots", "age"), [(1, 0), (2, 1), (4, 1), (5, 2), (12, 2), (13, 3), (48, 3), (49, 4)])
def test_an_age_counts_as_the_next_that_was_learned(slots: int, age: int) -> None:
    panel = young(flat(10), 0, slots)
    assert age_classes(rows_of(panel, [panel.values.shape[1] - 1])).tolist() == [age]


def fleet(rng: np.random.Generator, *, alike: bool) -> Panel:
    """Two days of calm, then a rise by half over twelve slots: of all entities at once, or of none."""
    panel = flat(*rng.uniform(10, 60, 24), days=4)
    climb = np.ones(4 * DAY)
    climb[-STEPS:] += (0.5 if alike else 0.0) * np.arange(1, STEPS + 1) / STEPS
    noise = rng.normal(1, 0.05, panel.values.shape)
    return replace(panel, values=(panel.values * climb[:, None] * noise).astype(np.float32))


@pytest.mark.parametrize(("alike", "least", "most"), [(True, 0.75, 1.0), (False, 0.0, 0.0)])
def test_peers_are_followed_as_far_as_they_were_right(alike: bool, least: float, most: float) -> None:  # noqa: FBT001
    panel = fleet(np.random.default_rng(0), alike=alike)
    cold = learn_cold_start([panel], [[panel.values.shape[1] - 1 - STEPS]], both)
    assert len(cold.shares["cpu_pct"]) == len(cold.calibrations) == len(AGES_H)
    assert all(least <= share <= most for share in cold.shares["cpu_pct"])


def test_a_gain_that_is_hardly_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the newcomers rise with their peers, half do not: a small share of the peers is a little better."""
    panel = fleet(np.random.default_rng(2), alike=True)
    calm = fleet(np.random.default_rng(2), alike=False).values
    panel.values[1::4] = calm[1::4]
    given = [panel], [[panel.values.shape[1] - 1 - STEPS]], both
    monkeypatch.setattr("brownout.forecasting.cold_start.newcomer_forecasts.GAIN", 1.0)
    assert max(learn_cold_start(*given).shares["cpu_pct"]) > 0
    monkeypatch.setattr("brownout.forecasting.cold_start.newcomer_forecasts.GAIN", 0.3)
    assert max(learn_cold_start(*given).shares["cpu_pct"]) == 0


def test_intervals_of_newcomers_are_as_wide_as_they_must_be() -> None:
    """The forecasts' spread is a tenth of the level, the truth's a twentieth."""
    panel = fleet(np.random.default_rng(1), alike=False)
    slots = [panel.values.shape[1] - 1 - STEPS - back for back in (0, 8, 16, 24)]
    cold = learn_cold_start([panel], [slots], both)
    widths = [band[8] for calibration in cold.calibrations for band in calibration.factors["cpu_pct"]]
    assert 0.5 < np.mean(widths) < 0.9


def test_one_entity_alone_teaches_nothing() -> None:
    assert learn_cold_start([flat(10)], [[100]], both) == ColdStart()
    assert learn_cold_start([flat(10, 20)], [[]], both) == ColdStart()


def test_one_panel_of_a_kind_is_enough() -> None:
    asked = []

    def predict(panel: Panel, slots: Sequence[int]) -> tuple[Forecasts, Forecasts]:
        asked.append(panel.entities[0].id)
        return both(panel, slots)

    panel = flat(10, 20, 30, 40)
    hosts = flat(1, 2, kind="host")
    learn_cold_start([panel.select(entities=[3]), panel, panel, hosts], [[150]] * 4, predict)
    assert asked == ["vm0", "0/vm1", "host0", "0/host1"]


def test_entities_that_were_not_measured_lately_play_no_newcomers() -> None:
    panel = fleet(np.random.default_rng(0), alike=True)
    whole = learn_cold_start([panel], [[panel.values.shape[1] - 1 - STEPS]], both)
    panel.values[1::2, 50:] = np.nan
    panel.values[0, : 3 * DAY - STEPS] = np.nan
    assert learn_cold_start([panel], [[panel.values.shape[1] - 1 - STEPS]], both).shares.keys() == whole.shares.keys()
    panel.values[2:, 50:] = np.nan
    assert learn_cold_start([panel], [[panel.values.shape[1] - 1 - STEPS]], both) == ColdStart()


def following(metric: str = "cpu_pct") -> ColdStart:
    return ColdStart({metric: (1.0,) * len(AGES_H)}, (Calibration(STEPS, {}),) * len(AGES_H))


def test_who_has_a_day_of_past_keeps_its_forecast_and_the_young_say_by_whom_theirs_is() -> None:
    panel = young(flat(10, 20, 30), 1, 6)
    origins = [panel.values.shape[1] - 7, panel.values.shape[1] - 1]
    rows = rows_of(panel, origins)
    direct, _ = both(panel, origins)
    ((places, made),) = forecast_newcomers(following(), rows, direct, [panel], both)
    assert [(rows.origins[place], rows.entities[place]) for place in places] == [(origins[1], 1)]
    assert made.makers == ("lstm+peers",)
    assert made.values[0, -1, 4] == pytest.approx(30, abs=0.2)
    ((_, alone),) = forecast_newcomers(replace(following(), shares={}), rows, direct, [panel], both)
    assert alone.makers == ("lstm",)
    np.testing.assert_array_equal(alone.values, direct.values[places])


def test_each_age_has_its_own_share_and_width() -> None:
    shares = (1.0, 0.5, 0.25, 0.0)
    cold = ColdStart(
        {"cpu_pct": shares}, tuple(Calibration(STEPS, {"cpu_pct": ((1.0 + age,) * 11,) * 4}) for age in range(4))
    )
    panel = flat(10, 10, 10, 10)
    direct, _ = both(panel, [150])
    made = cold.blend(direct, direct.values + 8, np.array([3, 0, 1, 2]))
    assert made.values[:, -1, 4] - direct.values[:, -1, 4] == pytest.approx([0, 8, 4, 2], abs=1e-4)
    assert made.makers == ("lstm", *("lstm+peers",) * 3)
    width = made.values[..., 8] - made.values[..., 4]
    ratio = width[:, 0] / (direct.values[..., 8] - direct.values[..., 4])[:, 0]
    assert ratio == pytest.approx([4, 1, 2, 3], rel=1e-4)


def newcomers(values: Float | None = None) -> Panel:
    panel = waves(entities=6)
    if values is not None:
        panel.values[:] = values
    panel.values[2, :390] = np.nan
    return panel


def test_a_forecaster_follows_peers_beside_the_panel_and_nothing_that_came_later() -> None:
    forecaster = SelectedForecaster(TINY).fit([waves(entities=6)])
    assert set(forecaster.cold_.shares) == {"cpu_pct", "free_pct"}
    forecaster.cold_ = following()
    panel, beside = newcomers(), waves(entities=3, seed=7)
    beside = replace(beside, entities=tuple(replace(e, id=f"old{e.id}") for e in beside.entities))
    young_alone = panel.select(entities=[2])
    made = forecaster.predict(ForecastRequest(young_alone, [400], STEPS, siblings=(beside,)))
    assert made.makers == ("lstm+peers", "lstm")
    assert made.outer is not None
    assert (made.outer[..., 0] <= made.values[..., 0]).all()
    poisoned, ours = beside.values.copy(), young_alone.values.copy()
    poisoned[:, 401:], ours[:, 401:] = 99, 99
    again = forecaster.predict(
        ForecastRequest(replace(young_alone, values=ours), [400], STEPS, siblings=(replace(beside, values=poisoned),))
    )
    np.testing.assert_array_equal(made.values, again.values)
    unlike = forecaster.predict(ForecastRequest(young_alone, [400], STEPS))
    assert unlike.makers[0] != "lstm+peers"
    whole = forecaster.predict(ForecastRequest(panel, [400], STEPS))
    rest = [row for row, series in enumerate(whole.series) if series.entity != "vm2"]
    assert not [maker for maker in np.array(whole.makers)[rest] if "peers" in maker]


def test_what_newcomers_were_taught_is_stored() -> None:
    cold = replace(following(), calibrations=(Calibration(STEPS, {"cpu_pct": ((1.5,) * 11,) * 4}),) * len(AGES_H))
    import json
    from dataclasses import asdict

    assert ColdStart.of(json.loads(json.dumps(asdict(cold)))) == cold
