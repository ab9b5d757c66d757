"""Console latency and its loads, on fleets whose causes were planted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.entities import Entity
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.metrics import Family, Metric, Role, Worse
from brownout.domain.panel import Float, Panel
from brownout.forecasting.covariates.console_covariates import (
    ConsoleCovariates,
    Load,
    Place,
    Predict,
    covariates_ahead,
    gather,
    loads_in,
    measured_covariates,
)
from brownout.forecasting.covariates.load_attribution import drivers_of
from brownout.forecasting.covariates.load_model import LoadModel, mixed
from brownout.forecasting.covariates.load_paths import Contributions, follow, log_latency
from brownout.forecasting.covariates.response import Response, learn_response
from brownout.forecasting.fleet_forecaster import FleetForecaster
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.forecasting.selection.held_out import first_held_out
from brownout.forecasting.series_rows import rows_of

DAY, DAYS, STEPS = 24, 20, 24
SLOTS = DAY * DAYS
START = np.datetime64("2026-03-02", "ms")
CPU = Metric(name="host_cpu", unit="%", family=Family.CPU, worse=Worse.UP, limit=90)
FREE = Metric(name="vm_free", unit="%", family=Family.MEMORY, worse=Worse.DOWN, limit=10)
WAIT = Metric(name="disk_wait", unit="ms", family=Family.DISK, worse=Worse.UP, limit=20)
LATENCY = Metric(name="echo", unit="ms", family=Family.CONSOLE, role=Role.LATENCY, worse=Worse.UP, limit=300)


def panel(kind: str, ids: list[str], parents: list[str], metric: Metric, values: Float) -> Panel:
    entities = tuple(Entity(id=i, kind=kind, parent=p) for i, p in zip(ids, parents, strict=True))
    return Panel(values[..., None].astype(np.float32), START, 3600, entities, (metric,))


def fleet(seed: int = 0, consoles: int = 6) -> list[Panel]:
    """Consoles c0, c2, … wait for the CPU of their host only, c1, c3, … for its disk only; memory does nothing."""
    rng = np.random.default_rng(seed)
    n = [str(i) for i in range(consoles)]
    hour = np.sin(2 * np.pi * (np.arange(SLOTS) % DAY) / DAY)
    cpu = np.clip(50 + 20 * hour + rng.normal(0, 10, (consoles, SLOTS)), 0, 100)
    wait = np.exp(rng.normal(1, 0.5, (consoles, SLOTS)))
    free = rng.uniform(20, 60, (consoles, SLOTS))
    even = (np.arange(consoles) % 2 == 0)[:, None]
    level = rng.uniform(3, 4, (consoles, 1))
    latency = np.exp(level + np.where(even, 0.03 * (cpu - 50), 0.15 * wait) + rng.normal(0, 0.05, cpu.shape))
    hosts, guests = [f"h{i}" for i in n], [f"g{i}" for i in n]
    return [
        panel("console", [f"c{i}" for i in n], guests, LATENCY, latency),
        panel("vm", guests, hosts, FREE, free),
        panel("host", hosts, [""] * consoles, CPU, cpu),
        panel("disk", [f"d{i}" for i in n], hosts, WAIT, wait),
    ]


def seer(panels: list[Panel], **levels: float) -> Predict:
    """Forecasts that say the median of the past, and for some metrics a level of all entities."""
    del panels

    def predict(beside: Panel, origins: Sequence[int]) -> Forecasts:
        rows = rows_of(beside, origins)
        middle = np.array(
            [
                levels.get(beside.metric_names[m], float(np.nanmedian(beside.values[e, : o + 1, m])))
                for o, e, m in zip(rows.origins, rows.entities, rows.metrics, strict=True)
            ],
            np.float32,
        )
        return rows.forecasts(np.tile(middle[:, None, None], (1, STEPS, len(QUANTILES))), "seer")

    return predict


def around(panels: list[Panel], origin: int = SLOTS - 1, **levels: float) -> ConsoleCovariates:
    return asked(panels, [origin], seer(panels, **levels))


def asked(panels: list[Panel], origins: list[int], predict: Predict) -> ConsoleCovariates:
    ahead = covariates_ahead(panels[0], origins, panels, predict)
    return ConsoleCovariates.of(ForecastRequest(panels[0], origins, STEPS, ahead))


def breach_rows(panels: list[Panel], factor: float) -> Forecasts:
    """So many times what each console usually shows."""
    rows = rows_of(panels[0], [SLOTS - 1])
    high = factor * np.nanmedian(panels[0].values[..., 0], axis=1)[:, None, None]
    return rows.forecasts(np.tile(high, (1, STEPS, len(QUANTILES))).astype(np.float32), "lstm")


def shares(model: LoadModel, panels: list[Panel], **levels: float) -> list[dict[str, float]]:
    made = breach_rows(panels, 1.5)
    found = drivers_of(model, made, np.ones((len(made.series), STEPS)), around(panels, **levels))
    return [{driver.resource: driver.share for driver in drivers or ()} for drivers in found]


def test_loads_are_found_at_guest_and_host_and_the_worst_disk_counts() -> None:
    panels = fleet()
    loads = loads_in(panels)
    assert [(load.place, load.metric) for load in loads] == [
        (Place.GUEST, "vm_free"), (Place.HOST, "host_cpu"), (Place.HOST, "disk_wait"),
    ]  # fmt: skip
    second = panel("disk", ["x"], ["h1"], WAIT, np.full((1, SLOTS), 1000.0))
    values = gather(panels[0].entities, measured_covariates(panels[0], [*panels, second]), loads, panels[0].times)
    wait = loads.index(next(load for load in loads if load.metric == "disk_wait"))
    for row in range(6):  # a plain loop
        np.testing.assert_array_equal(values[row, :, 0], panels[1].values[row, :, 0])
        np.testing.assert_array_equal(values[row, :, 1], panels[2].values[row, :, 0])
        expected = np.full(SLOTS, 1000.0) if row == 1 else panels[3].values[row, :, 0]
        np.testing.assert_array_equal(values[row, :, wait], expected)


def test_what_was_measured_later_or_earlier_falls_into_its_own_slot() -> None:
    panels = fleet()
    late = panels[2].between(START + 30 * panels[2].step, panels[2].end)
    values = gather(
        panels[0].entities, measured_covariates(panels[0], [panels[1], late]), loads_in([late]), panels[0].times
    )
    assert np.isnan(values[:, :30]).all()
    np.testing.assert_array_equal(values[:, 30:, 0], panels[2].values[:, 30:, 0])


def test_a_guest_that_moved_feels_the_host_that_it_was_on() -> None:
    panels = fleet()
    moves = [(START, "h2"), (panels[0].times[10], "h3"), (panels[0].times[25], "h0")]
    guests = tuple(entity.placed(moves) if row == 0 else entity for row, entity in enumerate(panels[1].entities))
    panels[1] = replace(panels[1], entities=guests)
    only = [replace(panels[0].select(entities=[0])), *panels[1:]]
    for consoles in (panels, only):  # hosts that it has left are read for it alone, too
        loads = loads_in(consoles)
        around = asked(consoles, [5, SLOTS - 1], seer(consoles))
        cpu = [load.metric for load in loads].index("host_cpu")
        felt, hosts = around.measured(loads)[0, :, cpu], panels[2].values[..., 0]
        np.testing.assert_array_equal(felt, np.concatenate([hosts[2, :10], hosts[3, 10:25], hosts[0, 25:]]))
        ahead = around.forecast(loads)[0, :, :, cpu]
        expected = [np.nanmedian(hosts[2, :6]), np.nanmedian(hosts[0])]
        np.testing.assert_allclose(ahead, np.repeat(np.array(expected)[:, None], STEPS, axis=1), rtol=1e-6)


def test_a_response_is_monotone_and_near_the_curve_that_was_planted() -> None:
    rng = np.random.default_rng(1)
    cpu, free = rng.uniform(0, 100, (2, 8, 600)).astype(np.float32)
    latency = (3 + np.arange(8)[:, None] + 2 * np.maximum(cpu - 70, 0) / 30 + 0 * free).astype(np.float32)
    loads = [Load(Place.HOST, Family.CPU, "cpu", True), Load(Place.GUEST, Family.MEMORY, "free", False)]
    response = learn_response(loads, np.stack([cpu, free], -1), latency)
    assert response is not None
    grid = np.stack([np.linspace(0, 100, 50), np.full(50, 50)], -1).astype(np.float32)
    curve = response.parts(grid)
    assert (np.diff(curve[:, 0]) >= 0).all()
    assert curve[:, 0] == pytest.approx(2 * np.maximum(grid[:, 0] - 70, 0) / 30, abs=0.12)
    assert np.ptp(response.parts(np.stack([np.full(50, 50), np.linspace(0, 100, 50)], -1))[:, 1]) < 0.05
    assert response.parts(np.full((1, 2), np.nan, np.float32)).tolist() == [[0, 0]]


def test_a_console_that_answers_only_to_one_load_shows_it_in_its_gains() -> None:
    rng = np.random.default_rng(2)
    loads = [Load(Place.HOST, Family.CPU, "cpu", True), Load(Place.HOST, Family.DISK, "wait", True)]
    past = rng.normal(0, 0.3, (2, 400, 2)).astype(np.float32)
    latency = np.stack([3 + past[0, :, 0], 3 + 2 * past[1, :, 1]]) + rng.normal(0, 0.02, (2, 400)).astype(np.float32)
    response = learn_response(loads, past, latency)
    assert response is not None
    made = follow(response, Contributions(latency.astype(np.float32), past, np.zeros((2, STEPS, 2), np.float32)))
    np.testing.assert_allclose(made.gains, [[1, 0], [0, 2]], atol=0.15)
    assert made.values[:, 0, 4] == pytest.approx([3, 3], abs=0.05)


def test_the_resource_whose_forecast_was_raised_is_the_one_named() -> None:
    panels = fleet()
    model = LoadModel.learn(panels)
    for name, resource, rows in (("host_cpu", "cpu", (0, 2, 4)), ("disk_wait", "disk", (1, 3, 5))):
        found = shares(model, panels, **{name: 95.0 if name == "host_cpu" else 7.0})
        for row in range(6):
            if row in rows:
                assert max(found[row], key=found[row].__getitem__) == resource
                assert found[row][resource] > 0.5
            else:
                assert found[row].get(resource, 0) < 0.5
    assert all(sum(row.values()) <= 1 + 1e-6 for row in found)


def test_loads_as_usual_drive_nothing() -> None:
    panels = fleet()
    assert all(sum(row.values()) < 0.3 for row in shares(LoadModel.learn(panels), panels))


def test_a_driver_says_whose_load_it_is_and_how_far_from_usual() -> None:
    panels = fleet()
    made = breach_rows(panels, 2.0)
    chance = np.ones((len(made.series), STEPS))
    driver = drivers_of(LoadModel.learn(panels), made, chance, around(panels, host_cpu=95.0))[0][0]  # type: ignore[index]
    assert (driver.entity, driver.metric, driver.daily) == ("h0", "host_cpu", False)
    assert driver.forecast == pytest.approx(95, abs=0.1)
    assert driver.usual == pytest.approx(50, abs=4)


def test_shares_are_told_in_ms_too() -> None:
    panels = fleet()
    made = breach_rows(panels, 2.0)
    chance = np.ones((len(made.series), STEPS))
    found = drivers_of(LoadModel.learn(panels), made, chance, around(panels, host_cpu=95.0))
    for row, drivers in enumerate(found):
        console, day = panels[0], panels[0].slots_per_day
        past = console.values[console.entity_ids.index(made.series[row].entity), :, console.metric_names.index("echo")]
        usual = np.nanmedian(past[-(len(past) // day) * day :].reshape(-1, day), axis=0)[np.arange(STEPS) % day]
        for driver in drivers or ():
            assert not driver.daily
            assert driver.added == pytest.approx(driver.share * (made.values[row, :, -1] - usual).mean(), rel=0.05)


def test_paths_follow_what_the_loads_will_do() -> None:
    panels = fleet()
    model = LoadModel.learn(panels)
    ((_, row),) = model.rows(panels[0], [SLOTS - 1])
    usual, busy = (
        follow(model.responses["echo"], model.contributions(row, around(panels, host_cpu=level))).values[..., 4]
        for level in (50.0, 80.0)
    )
    assert (busy - usual)[[0, 2, 4]].mean() == pytest.approx(0.03 * 30, abs=0.15)
    assert (busy - usual)[[1, 3, 5]].mean() < 0.3
    actual = log_latency(panels[0].values[..., 0])
    assert usual[:, 0] == pytest.approx(np.median(actual, axis=1), abs=0.15)


def test_nothing_after_the_origin_is_looked_at() -> None:
    """The future is poisoned in the consoles and in everything beside them."""
    panels, origin = fleet(), SLOTS - 1 - STEPS
    model = LoadModel.learn(panels)

    def made(given: list[Panel]) -> Float:
        ((_, row),) = model.rows(given[0], [origin])
        return follow(model.responses["echo"], model.contributions(row, around(given, origin))).values

    poisoned = [replace(p, values=p.values.copy()) for p in panels]
    for p in poisoned:
        p.values[:, origin + 1 :] = 1e6
    np.testing.assert_array_equal(made(panels), made(poisoned))


def test_nothing_is_learned_without_consoles_or_without_loads() -> None:
    panels = fleet()
    assert LoadModel.learn(panels[1:]).responses == {}
    assert LoadModel.learn(panels[:1]).responses == {}


def test_it_comes_back_from_json() -> None:
    import json

    model = replace(LoadModel.learn(fleet()), weights={"echo": (0.5, 0.5, 1.0, 1.0)})
    assert LoadModel.from_facts(json.loads(json.dumps(model.facts()))) == model


def test_unseen_series_have_no_drivers() -> None:
    panels = fleet()
    made = replace(breach_rows(panels, 2.0), series=(Series("nobody", "echo"),) * 6)
    assert drivers_of(LoadModel.learn(panels), made, np.ones((6, STEPS)), around(panels)) == (None,) * 6


TINY = LstmSettings(context=48, horizon=STEPS, patch=12, hidden=8, steps=3, batch=16)


@pytest.fixture(scope="module")
def fitted() -> SelectedForecaster:
    """An LSTM that has hardly learned."""
    return SelectedForecaster(TINY).fit(fleet())


@pytest.fixture(scope="module")
def following(fitted: SelectedForecaster) -> SelectedForecaster:
    """As if the blend had won everywhere."""
    return replace(fitted, bands_={**fitted.bands_, "echo": (LoadModel.name,) * 4})


def predicted(forecaster: SelectedForecaster, panels: list[Panel], origin: int) -> Forecasts:
    return FleetForecaster(forecaster, panels).predict(ForecastRequest(panels[0], [origin], STEPS))


def test_the_blend_is_a_rival_for_latency_only_and_the_best_of_all_is_chosen(fitted: SelectedForecaster) -> None:
    for skill in fitted.skills_[1:]:
        quarters = dict(skill.quarters)
        assert (quarters[LoadModel.name] != quarters["lstm"]) == (skill.metric == "echo")
        for band, name in enumerate(fitted.bands_[skill.metric]):
            assert quarters[name][band] == min(row[band] for row in quarters.values())
    # The LSTM has hardly learned, and half of the consoles follow a CPU with a daily wave.
    echo = dict(next(skill.quarters for skill in fitted.skills_ if skill.metric == "echo"))
    assert sum(echo[LoadModel.name]) < sum(echo["lstm"])


def test_without_covariates_the_lstm_alone_predicts(following: SelectedForecaster) -> None:
    panels = fleet()
    alone = following.predict(ForecastRequest(panels[0], [SLOTS - 1], STEPS))
    assert not any(LoadModel.name in maker for maker in alone.makers)
    together = predicted(following, panels, SLOTS - 1)
    assert any(LoadModel.name in maker for maker in together.makers)
    assert (alone.values != together.values).any()
    assert (np.diff(together.values, axis=-1) >= 0).all()


def test_a_poisoned_future_changes_no_forecast(following: SelectedForecaster) -> None:
    """The whole way: forecasts of load, contributions, gains, what remains, blend."""
    panels, origin = fleet(), SLOTS - 1 - STEPS
    poisoned = [replace(p, values=p.values.copy()) for p in panels]
    for p in poisoned:
        p.values[:, origin + 1 :] = 99
    np.testing.assert_array_equal(
        predicted(following, panels, origin).values, predicted(following, poisoned, origin).values
    )


def test_responses_learn_nothing_from_the_windows_that_judge_them(fitted: SelectedForecaster) -> None:
    panels = fleet()
    cut = first_held_out(SLOTS, share=fitted.validation_share, horizon=STEPS)  # the promise is about exactly this slot
    for p in panels:
        p.values[:, cut:] = 42
    assert SelectedForecaster(TINY).fit(panels).loads_.responses == fitted.loads_.responses


def test_a_stored_forecaster_follows_the_loads_as_before(
    fitted: SelectedForecaster, following: SelectedForecaster, tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    loaded = SelectedForecaster.load(tmp_path)
    assert loaded.loads_ == fitted.loads_
    assert [(s.metric, s.quarters, s.bins) for s in loaded.skills_] == [
        (s.metric, s.quarters, s.bins) for s in fitted.skills_
    ]
    panels = fleet()
    first, second = (predicted(f, panels, SLOTS - 1) for f in (following, replace(loaded, bands_=following.bands_)))
    np.testing.assert_array_equal(first.values, second.values)
    assert first.odds == second.odds


def test_a_console_of_which_no_load_is_known_stays_with_the_lstm(following: SelectedForecaster) -> None:
    panels = fleet()
    known = [panels[0], *(p.select(entities=range(1, 6)) for p in panels[1:])]  # nothing around c0
    alone = following.predict(ForecastRequest(panels[0], [SLOTS - 1], STEPS)).values
    together = predicted(following, known, SLOTS - 1).values
    assert (together == alone).all(axis=(1, 2)).tolist() == [True] + [False] * 5


def test_only_what_surrounds_the_consoles_is_forecast_for_them() -> None:
    panels, asked = fleet(), []

    def predict(beside: Panel, origins: Sequence[int]) -> Forecasts:
        asked.extend(beside.entity_ids)
        return seer(panels)(beside, origins)

    covariates_ahead(panels[0].select(entities=[2]), [SLOTS - 1], panels, predict)
    assert sorted(asked) == ["d2", "g2", "h2"]


def test_what_remains_besides_the_loads_is_carried_on() -> None:
    """Noise-free: latency is 3 plus what the load adds, so the path is 3 plus what it will add, and nothing is wide."""
    rng = np.random.default_rng(3)
    loads = [Load(Place.HOST, Family.CPU, "cpu", True)]
    past = rng.uniform(0, 2, (1, 200, 1)).astype(np.float32)
    response = Response(tuple(loads), ((0.0, 1.0),), ((0.0, 1.0),))
    future = rng.uniform(0, 2, (1, STEPS, 1)).astype(np.float32)
    made = follow(response, Contributions(3 + past[..., 0], past, future))
    np.testing.assert_allclose(made.values, np.repeat(3 + future, len(QUANTILES), axis=2), atol=1e-3)


def test_before_the_first_slot_nothing_is_known() -> None:
    panels = fleet()
    model, early = LoadModel.learn(panels), 30
    ((_, row),) = model.rows(panels[0], [early])
    given = model.contributions(row, around(panels, early))
    assert np.isfinite(given.latency).sum(axis=1).tolist() == [early + 1] * 6
    assert np.isfinite(given.past).all(axis=2).sum(axis=1).tolist() == [early + 1] * 6


def peaking() -> list[Panel]:
    """All consoles wait for the CPU of their host, which is 60 % at eight o'clock and 40 % else, now and then 95 %."""
    rng = np.random.default_rng(4)
    hour = np.arange(SLOTS) % DAY
    cpu = np.where(hour == 8, 60, 40) + rng.uniform(-5, 5, (6, SLOTS))
    cpu[rng.uniform(size=cpu.shape) < 0.05] = 95
    panels = fleet()
    latency = np.exp(3 + 0.03 * cpu)
    return [
        replace(panels[0], values=latency[..., None].astype(np.float32)),
        *panels[1:2],
        replace(panels[2], values=cpu[..., None].astype(np.float32)),
    ]


@pytest.mark.parametrize(("forecast", "daily", "usual"), [(60.0, True, 40.0), (90.0, False, 60.0)])
def test_what_is_so_every_day_is_compared_with_all_hours_what_is_not_with_that_hour(
    forecast: float, *, daily: bool, usual: float
) -> None:
    """The latency is forecast to be twice what the load explains."""
    panels = peaking()
    chance = np.zeros((6, STEPS))
    chance[:, (8 - SLOTS) % DAY] = 1  # the step at eight o'clock
    rows = rows_of(panels[0], [SLOTS - 1])
    latency = np.full((6, STEPS, len(QUANTILES)), 2 * np.exp(3 + 0.03 * forecast), np.float32)
    made = rows.forecasts(latency, "lstm")
    for drivers in drivers_of(LoadModel.learn(panels), made, chance, around(panels, host_cpu=forecast)):
        assert drivers is not None
        assert (drivers[0].metric, drivers[0].daily) == ("host_cpu", daily)
        assert drivers[0].usual == pytest.approx(usual, abs=4)
        rise = 0.03 * (forecast - usual)
        assert drivers[0].share == pytest.approx(rise / (rise + np.log(2)), abs=0.1)


def test_what_the_loads_say_moves_a_forecast_by_a_factor_of_two_at_most() -> None:
    direct = np.tile(np.linspace(10, 30, len(QUANTILES), dtype=np.float32), (1, 2, 1))
    weights = np.array([1.0, 0.5], np.float32)
    for factor, most in ((50.0, 2.0), (1.5, 1.5), (0.01, 0.5)):
        blend = mixed(direct, direct * np.float32(factor), weights)
        np.testing.assert_allclose(blend[0, 0], direct[0, 0] * most, rtol=1e-6)
        np.testing.assert_allclose(blend[0, 1], direct[0, 1] * (1 + most) / 2, rtol=1e-6)
