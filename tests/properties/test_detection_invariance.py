"""Detection does not depend on sampling, order, names, units, idle company, or a metric under two names."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.entities import Entity
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
DAY = 288
FIRST, LAST = 10 * DAY + 100, 10 * DAY + 136
"""Slots of the fault: three hours of the eleventh day."""
SEARCHED = 9 * DAY
ABNORMAL = 2


def guests() -> Panel:
    """Six guests with a day's wave and noise in three metrics; one of them leaves its range for three hours."""
    rng, slots = np.random.default_rng(21), np.arange(12 * DAY)
    wave = np.sin(2 * np.pi * (slots[None, :, None] / DAY + rng.uniform(0, 1, (6, 1, 1))))
    values = (
        rng.uniform(30, 50, (6, 1, 3)) + rng.uniform(4, 10, (6, 1, 3)) * wave + rng.normal(0, 1, (6, len(slots), 3))
    )
    values[ABNORMAL, FIRST:LAST, :2] += 35
    metrics = tuple(Metric(name=name, worse=Worse.UP) for name in ("cpu", "memory", "disk"))
    return Panel(
        values.astype(np.float32), START, 300, tuple(Entity(id=f"vm{n}", kind="vm") for n in range(6)), metrics
    )


def found(panel: Panel, begin: np.datetime64, over: np.datetime64) -> dict[str, tuple[np.datetime64, np.datetime64]]:
    """Start and end of what was found of each entity within a time, by a detector that learned from the days before."""
    searched = int(SEARCHED * 300 / panel.interval_s)
    past = panel.between(panel.start, panel.start + searched * panel.step)
    detector = IsolationForestDetector(DetectorSettings(trees=40)).fit([past])
    spans: dict[str, tuple[np.datetime64, np.datetime64]] = {}
    for episode in find_episodes(detector.score(panel, searched), panel):
        if episode.start < over and episode.end > begin:
            start, end = spans.get(episode.entity, (episode.start, episode.end))
            spans[episode.entity] = min(start, episode.start), max(end, episode.end)
    return spans


def in_reverse(panel: Panel) -> Panel:
    return panel.select(entities=[5, 4, 3, 2, 1, 0], metrics=[2, 1, 0])


def renamed(panel: Panel) -> Panel:
    return replace(panel, entities=tuple(replace(e, id=f"{9 - n}-{e.id}") for n, e in enumerate(panel.entities)))


def in_other_units(panel: Panel) -> Panel:
    return replace(panel, values=(panel.values * np.array([1e-3, 2.0**20, 60], np.float32)).astype(np.float32))


def with_idle_company(panel: Panel) -> Panel:
    idle = np.random.default_rng(4).normal(1, 0.05, (4, *panel.values.shape[1:])).astype(np.float32)
    entities = (*panel.entities, *(Entity(id=f"idle{n}", kind="vm") for n in range(4)))
    return replace(panel, values=np.concatenate([panel.values, idle]), entities=entities)


def with_a_metric_twice(panel: Panel) -> Panel:
    again = replace(panel.metrics[0], name="cpu_again")
    values = np.concatenate([panel.values, panel.values[..., :1]], axis=2)
    return replace(panel, values=values, metrics=(*panel.metrics, again))


def coarser(panel: Panel) -> Panel:
    return panel.coarsen(3)


CHANGES: tuple[Callable[[Panel], Panel], ...] = (
    in_reverse, renamed, in_other_units, with_idle_company, with_a_metric_twice, coarser,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_entity_is_found_at_the_same_time(change: Callable[[Panel], Panel]) -> None:
    made = guests()
    begin, over = made.times[FIRST], made.times[LAST]
    spans = found(change(made), begin, over)
    assert [name for name in spans if not name.endswith("vm2")] == []
    ((start, end),) = spans.values()
    slack = np.timedelta64(30, "m")
    assert abs(start - begin) <= slack
    assert over - slack <= end <= over + 6 * slack, "episodes end late, incidents by their own evidence"


def test_what_is_found_fades_with_the_fault() -> None:
    """Weaker and weaker, it is found less and less; within the noise it is not found."""
    severities = []
    for strength in (1.0, 0.5, 0.25, 0.0):
        made = guests()
        made.values[ABNORMAL, FIRST:LAST, :2] -= 35 * (1 - strength)
        past = made.between(made.start, made.times[SEARCHED])
        scores = IsolationForestDetector(DetectorSettings(trees=40)).fit([past]).score(made, SEARCHED)
        levels = scores.scores if scores.levels is None else scores.levels
        severities.append(float(np.nanmax(levels[ABNORMAL, FIRST - SEARCHED : LAST - SEARCHED])))
    assert severities == sorted(severities, reverse=True)
    assert severities[0] > 1 > severities[-1]
