"""Expressions of the mapping, against loops over samples."""

import numpy as np
import pytest

from brownout.domain.errors import KnowledgeError
from brownout.telemetry.counters import rates
from brownout.telemetry.expressions import parse
from brownout.telemetry.frame import RawFrame, latest_before

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
     ("max(a, b)", False), ("a * b", False), ("a + m.b", False)],
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
