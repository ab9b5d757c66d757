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
        known = [time for time in sorted(samples) if not math.isnan(samples[time])]
        for time, value in sound_totals([(time, samples[time]) for time in known]):
            if previous is not None and value >= previous[1]:
                found[entity, time] = (value - previous[1]) / (time - previous[0]) * 1000
            previous = (time, value)
    return found


def sound_totals(samples: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Samples of one counter without those that say nothing, while those around them go on as if without them."""
    sound = []
    for place, (time, value) in enumerate(samples):
        around = [samples[at][1] for at in (place - 1, place + 1) if 0 <= at < len(samples)]
        if len(around) == 2 and around[1] >= around[0]:
            if value <= 0 and around[0] > 0:
                continue
            if value < 0 and value < around[0]:
                continue
            if value in {2.0**31 - 1, 2.0**32 - 1, 2.0**63, 2.0**64} and value > around[1]:
                continue
        sound.append((time, value))
    return sound


def quantile_loss(quantiles: list[float], levels: list[float], actual: float) -> float:
    """Twice the mean pinball loss: the CRPS as quantiles see it."""
    total = 0.0
    for level, value in zip(levels, quantiles, strict=True):
        error = actual - value
        total += level * error if error >= 0 else (level - 1) * error
    return 2 * total / len(levels)


def quantile(values: list[float], level: float, method: str) -> float:
    """Quantile of the values that are no NaN, as ``numpy.quantile`` defines the method; NaN of none."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return math.nan
    position = level * (len(known) - 1)
    if method == "lower":
        return known[math.floor(position)]
    if method == "nearest":
        return known[round(position)]
    below, above = known[math.floor(position)], known[math.ceil(position)]
    return below + (above - below) * (position - math.floor(position))


def median(values: list[float]) -> float:
    """The value in the middle, or the mean of the two there, of the values that are no NaN; NaN of none."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return math.nan
    half = len(known) // 2
    return known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2


def window(values: list[float], end: int, width: int) -> list[float]:
    """What was measured in the ``width`` slots up to and with ``end``."""
    return [value for value in values[max(end - width + 1, 0) : max(end + 1, 0)] if math.isfinite(value)]


def mean(values: list[float]) -> float:
    """Mean, NaN of none."""
    return math.fsum(values) / len(values) if values else math.nan


def trimmed_mean(values: list[float]) -> float:
    """Mean without the highest and the lowest of three or more."""
    return mean(sorted(values)[1:-1] if len(values) > 2 else values)


def std(values: list[float]) -> float:
    """Standard deviation of a population, NaN of none."""
    centre = mean(values)
    return math.sqrt(mean([(value - centre) ** 2 for value in values])) if values else math.nan


def group_means(values: list[float], groups: list[int], number: int) -> list[float]:
    """Mean of the finite values of each group."""
    parts: list[list[float]] = [[] for _ in range(number)]
    for value, group in zip(values, groups, strict=True):
        if math.isfinite(value):
            parts[group].append(value)
    return [mean(part) for part in parts]
