"""Expressions of the mapping, against loops over samples."""

import numpy as np
import pytest

from brownout.domain.errors import KnowledgeError
from brownout.ingest.counters import LONGEST_GAP_MS, growth, rates
from brownout.ingest.expressions import parse
from brownout.ingest.slot_frame import RawFrame, held, latest_before

SLOT_MS = 60_000


def frame(**fields: list[float]) -> RawFrame:
    """Two series of one entity and one of another, three samples each at 0, 30 and 60 s."""
    series = np.repeat([0, 1, 2], 3)
    times = np.tile([0, 30_000, 60_000], 3)
    return RawFrame(
        fields={name: np.array(values, float) for name, values in fields.items()},
        series=series,
        times=times,
        slots=times // SLOT_MS,
        owner=np.array([0, 0, 1]),
        lookup=lambda measurement, name: np.full(9, 2.0 if (measurement, name) == ("other", "n") else np.nan),
        lookup_rate=lambda measurement, name: np.full(9, 4.0 if (measurement, name) == ("other", "n") else np.nan),
    )


A = [1.0, 3, 5, 10, 20, 30, 7, 7, 7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [8.5, 17.5, 7, 7]),  # slot means 2 and 15 of the first entity's series, then their mean
        ("sum(a)", [17, 35, 7, 7]),
        ("peak(a)", [15, 30, 7, 7]),
        ("100 - a * 2", [83, 65, 86, 86]),
        ("sum(a) / other.n", [8.5, 17.5, 3.5, 3.5]),
        ("-a", [-8.5, -17.5, -7, -7]),
        ("min(a, 5)", [(2 + 5) / 2, 5, 5, 5]),
        ("max(0, min(a, 12) - 2)", [(np.mean([0, 1]) + 9) / 2, (3 + 10) / 2, 5, 5]),
        ("sum(rate(a))", [2 / 30 + 10 / 30, 2 / 30 + 10 / 30, 0, 0]),
        ("sum(hourly(a))", [2 + 10, 4 + 20, 0, 0]),
        ("pool(a)", [8.5, 17.5, 7, 7]),
        ("time", [15, 60, 15, 60]),
    ],
)
def test_values_of_cells(text: str, expected: list[float]) -> None:
    found = frame(a=A)
    np.testing.assert_allclose(parse(text)(found).values, expected)
    assert found.cell_owner.tolist() == [0, 0, 1, 1]
    assert found.cell_slot.tolist() == [0, 1, 0, 1]


def test_absent_is_not_zero() -> None:
    nothing = np.nan
    values = parse("sum(a)")(frame(a=[nothing] * 3 + [1, 2, 3] + [nothing] * 3)).values
    np.testing.assert_array_equal(values, [1.5, 3, nothing, nothing])
    np.testing.assert_array_equal(parse("peak(a) + b")(frame(a=A)).values, [nothing] * 4)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b.c",
        "a if b else c",
        "rate(a + b)",
        "a ** 2",
        "open(a)",
        "sum(a, key=b)",
        "a +",
        "'text'",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(KnowledgeError):
        parse(text)


def test_an_expression_knows_what_it_needs() -> None:
    expression = parse("sum(rate(x) + y) / m.z / max(x, 1)")
    assert set(expression.fields) == {"x", "y"}
    assert expression.foreign == (("m", "z"),)


@pytest.mark.parametrize(
    ("text", "averages"),
    [("100 - a - b", True), ("a / 1024", True), ("mean(a)", True), ("a / b", False), ("rate(a)", False),
     ("max(a, b)", False), ("a * b", False), ("a + m.b", False), ("time - a", False), ("pool(a)", False),
     ("hourly(a)", False)],
)  # fmt: skip
def test_only_sums_may_be_left_to_the_servers_means(text: str, *, averages: bool) -> None:
    assert parse(text).averages is averages


def test_rates_are_those_of_a_loop_and_fall_across_resets_and_long_gaps() -> None:
    rng = np.random.default_rng(4)
    groups = np.sort(rng.integers(0, 5, 400))
    times = np.cumsum(rng.choice([1000, 30_000, 4_000_000], 400, p=[0.5, 0.45, 0.05]))
    values = np.cumsum(rng.uniform(0, 9, 400))
    values[rng.random(400) < 0.1] = np.nan
    values[200:] -= values[~np.isnan(values)][180]
    found, resets = rates(values, times, groups)
    last: dict[int, tuple[float, float]] = {}
    expected, fell = np.full(400, np.nan), []
    for row, (group, time, value) in enumerate(zip(groups.tolist(), times.tolist(), values.tolist(), strict=True)):
        if np.isnan(value):
            continue
        if group in last and time - last[group][0] <= 3_600_000:
            if value < last[group][1]:
                fell.append(row)
            else:
                expected[row] = (value - last[group][1]) / ((time - last[group][0]) / 1000)
        last[group] = (time, value)
    np.testing.assert_allclose(found, expected)
    assert resets.tolist() == fell


@pytest.mark.parametrize("unreal", [0.0, -1.0, -(2.0**31), 2.0**31 - 1, 2.0**32 - 1, 2.0**63, 2.0**64])
def test_a_sample_that_says_nothing_is_no_reset_and_makes_no_rise_of_all_that_was_ever_counted(unreal: float) -> None:
    times, groups = np.arange(8) * 60_000, np.array([0, 0, 0, 0, 0, 1, 1, 1])
    values = np.array([1e9, 1.06e9, unreal, 1.18e9, 1.24e9, 5e8, unreal, 6.2e8])
    found, resets = rates(values, times, groups)
    np.testing.assert_allclose(found, [np.nan, 1e6, np.nan, 1e6, 1e6, np.nan, np.nan, 1e6])
    assert resets.tolist() == [2, 6]
    np.testing.assert_allclose(growth(values, times, groups)[0][[4, 7]], [2.4e8, 1.2e8])


def test_a_restart_is_a_reset_however_its_first_sample_reads() -> None:
    found, resets = rates(np.array([1e9, 1.1e9, 0.0, 6e7]), np.arange(4) * 60_000, np.zeros(4, int))
    np.testing.assert_allclose(found, [np.nan, 1e8 / 60, np.nan, 1e6])
    assert resets.tolist() == [2]


def test_the_latest_value_before_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(5)
    groups, times = rng.integers(0, 4, 60), rng.integers(0, 100, 60)
    values = rng.normal(size=60)
    wanted = rng.integers(-1, 5, 50), rng.integers(0, 120, 50)
    found = latest_before((groups, times), values, wanted, max_age_ms=20)
    for row, (group, time) in enumerate(zip(*wanted, strict=True)):
        own = [(t, v) for g, t, v in zip(groups, times, values, strict=True) if g == group and time - 20 <= t <= time]
        if own:
            newest = max(t for t, _ in own)
            assert found[row] in [v for t, v in own if t == newest]
        else:
            assert np.isnan(found[row])


def test_a_pool_weighs_samples_and_not_series() -> None:
    unequal = RawFrame(
        fields={"a": np.array([0.0, 0, 0, 1])},
        series=np.array([0, 0, 0, 1]),
        times=np.array([0, 10_000, 20_000, 30_000]),
        slots=np.zeros(4, np.int64),
        owner=np.array([0, 0]),
        lookup=lambda _measurement, _name: np.full(4, np.nan),
        lookup_rate=lambda _measurement, _name: np.full(4, np.nan),
    )
    assert parse("pool(a)")(unequal).values == [0.25]
    assert parse("a")(unequal).values == [0.5]


def test_growth_of_the_last_hour_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(11)
    groups = np.sort(rng.integers(0, 4, 300))
    times = np.empty(300, np.int64)
    for group in range(4):
        times[groups == group] = np.cumsum(
            rng.choice([60_000, 600_000, 5_000_000], (groups == group).sum(), p=[0.6, 0.3, 0.1])
        )
    values = rng.poisson(0.7, 300).cumsum().astype(float)
    values[rng.random(300) < 0.1] = np.nan
    values[150:] -= np.nanmax(values[:140]) * 0.5
    found, resets = growth(values, times, groups)
    expected, fell = np.full(300, np.nan), set()
    for row in range(300):
        before = [r for r in range(row) if groups[r] == groups[row] and not np.isnan(values[r])]
        if np.isnan(values[row]) or not before:
            continue
        if values[row] < values[before[-1]]:
            fell.add(row)
        window = [r for r in before if times[r] >= times[row] - LONGEST_GAP_MS]
        if window:
            path = np.diff(values[[*window, row]])
            expected[row] = path[path > 0].sum()
    np.testing.assert_allclose(found, expected)
    assert set(resets.tolist()) == fell
    assert fell


def test_values_hold_as_a_loop_says() -> None:
    rng = np.random.default_rng(2)
    cells = sorted({(int(o), int(s)) for o, s in zip(rng.integers(0, 5, 60), rng.integers(0, 50, 60), strict=True)})
    owners, slots = np.array(cells).T
    values = rng.random(len(cells))
    found = held(owners, slots, values, reach=6, end=50)
    expected = {}
    for (owner, slot), value in zip(cells, values.tolist(), strict=True):
        for ahead in range(6):
            if slot + ahead < 50 and (ahead == 0 or not any(o == owner and slot < s <= slot + ahead for o, s in cells)):
                expected[owner, slot + ahead] = value
    made = {(o, s): v for o, s, v in zip(found[0].tolist(), found[1].tolist(), found[2].tolist(), strict=True)}
    assert made == expected
    assert len(found[0]) == len(made)
