"""Loops that say plainly what the vectorised code must compute."""

import math
from collections import defaultdict

Row = tuple[int, str, float]


def grid_means(rows: list[Row], interval_ms: int, lower: float, upper: float) -> dict[tuple[str, int], float]:
    """Mean of the valid values of each entity and slot; of rows with one time the last counts."""
    last: dict[tuple[str, int], float] = {}
    for time, entity, value in rows:
        last[entity, time] = value
    slots: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (entity, time), value in last.items():
        if math.isfinite(value) and lower <= value <= upper:
            slots[entity, time // interval_ms].append(value)
    return {key: sum(values) / len(values) for key, values in slots.items()}


def rates(rows: list[Row]) -> dict[tuple[str, int], float]:
    """Rate a second of a counter at each time but the first and those after a reset."""
    series: dict[str, dict[int, float]] = defaultdict(dict)
    for time, entity, value in rows:
        series[entity][time] = value
    found = {}
    for entity, samples in series.items():
        previous: tuple[int, float] | None = None
        for time in sorted(samples):
            value = samples[time]
            if math.isnan(value):
                continue
            if previous is not None and value >= previous[1]:
                found[entity, time] = (value - previous[1]) / (time - previous[0]) * 1000
            previous = (time, value)
    return found


def quantile_loss(quantiles: list[float], levels: list[float], actual: float) -> float:
    """Twice the mean pinball loss: the CRPS as quantiles see it."""
    total = 0.0
    for level, value in zip(levels, quantiles, strict=True):
        error = actual - value
        total += level * error if error >= 0 else (level - 1) * error
    return 2 * total / len(levels)
