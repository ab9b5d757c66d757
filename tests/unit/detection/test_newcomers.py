"""What is new is judged by its peers: which of them, which day of which, and nothing before it came."""

from dataclasses import replace

import numpy as np
from panels import waves

from brownout.detection.baseline.newcomers import newcomers_in, with_peer_history, without_first_day, without_peer_slots
from brownout.domain.entities import Entity
from brownout.domain.findings import AnomalyScores
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.domain.similarity import most_similar

START = np.datetime64("2026-03-16", "ms")
DAY = 24
CPU, MEMORY = Metric(name="cpu"), Metric(name="memory")


def panel(*names: str, days: int = 9, metrics: tuple[Metric, ...] = (CPU, MEMORY)) -> Panel:
    """An hour a slot; each value tells its entity (thousands) and its slot, and its metric by the sign."""
    entities = tuple(Entity(id=name, kind="vm") for name in names)
    rows = 1000.0 * np.array([int(name[1:]) for name in names])[:, None] + np.arange(days * DAY)
    signs = np.array([1 if metric.name == "cpu" else -1 for metric in metrics])
    return Panel((rows[..., None] * signs).astype(np.float32), START, 3600, entities, metrics)


def without(made: Panel, row: int, slots: slice) -> Panel:
    values = made.values.copy()
    values[row, slots] = np.nan
    return replace(made, values=values)


def test_only_what_lacks_half_a_day_is_new() -> None:
    made = without(without(panel("v1", "v2", "v3", "v4"), 1, slice(0, 11)), 2, slice(0, 30))
    assert newcomers_in(without(made, 3, slice(None))) == {2: 30}


def test_each_day_back_is_the_day_of_another_peer_and_a_gap_stays_one() -> None:
    young = without(panel("v9"), 0, slice(0, 200))
    peers = without(panel("v1", "v2", "v3"), 1, slice(150, 160))
    lent = with_peer_history(young, peers, {0: 200}).values[0]
    for slot in range(200):  # an oracle: the days before it came are those of v1, v2, v3, v1 …
        peer = ((200 - 1 - slot) // DAY) % 3
        assert np.array_equal(lent[slot], peers.values[peer, slot], equal_nan=True)
    assert np.array_equal(lent[200:], young.values[0, 200:])
    assert np.isnan(lent[152:160]).any()


def test_peers_with_other_metrics_or_a_shorter_span_lend_what_they_have() -> None:
    young = without(panel("v9"), 0, slice(0, 100))
    peers = panel("v1", metrics=(MEMORY,))
    late = peers.between(START + 30 * peers.step, peers.end)
    lent = with_peer_history(young, late, {0: 100}).values[0]
    assert np.isnan(lent[:100, 0]).all()
    assert np.isnan(lent[:30, 1]).all()
    assert np.array_equal(lent[30:100, 1], peers.values[0, 30:100, 0])


def test_a_metric_that_a_newcomer_does_not_have_is_not_lent() -> None:
    made = without(panel("v9"), 0, slice(0, 100))
    made.values[0, :, 1] = np.nan
    assert np.isnan(with_peer_history(made, panel("v1"), {0: 100}).values[0, :, 1]).all()


def test_without_peers_nothing_changes() -> None:
    young = without(panel("v9"), 0, slice(0, 100))
    assert with_peer_history(young, panel("v1").select(entities=[]), {0: 100}) is young
    assert with_peer_history(young, panel("v1"), {}) is young


def test_peers_are_those_of_its_group_site_and_parent_and_then_with_its_labels() -> None:
    new = Entity(id="n", parent="h1", site="a", group="g", labels={"os": "linux"})
    far = Entity(id="a", parent="h2", site="b", group="x", labels={"os": "linux"})
    near = Entity(id="b", parent="h1", site="a", group="g", labels={"os": "windows"})
    alike = replace(near, id="c", labels={"os": "linux"})
    assert [e.id for e in most_similar(new, [far, near, alike])] == ["c", "b", "a"]
    assert len(most_similar(new, [replace(far, id=f"{n}") for n in range(20)])) == 7


def test_what_was_lent_is_not_scored() -> None:
    made = panel("v1", "v9")
    levels = np.ones((2, 100), np.float32)
    scores = AnomalyScores(
        entities=made.entity_ids, metrics=("cpu", "memory"), times=made.times[50:150], interval_s=3600,
        scores=levels.copy(), deviations=np.zeros((2, 100, 2), np.float32), levels=levels,
    )  # fmt: skip
    found = without_peer_slots(scores, made, {1: 80})
    assert found.levels is not None
    assert np.isnan(found.levels).sum(axis=1).tolist() == [0, 30]
    assert np.isnan(found.scores).sum(axis=1).tolist() == [0, 30]
    assert np.isfinite(levels).all()


def test_the_first_day_of_an_entity_is_judged_only_where_a_limit_is_exceeded() -> None:
    panel = waves(interval_s=1800, days=4, entities=3)
    day = panel.slots_per_day
    panel.values[1, : 2 * day] = np.nan
    panel.values[1, 2 * day + 3, 0] = 95
    shape = (3, 4 * day - 5)
    scores = AnomalyScores(
        entities=panel.entity_ids, metrics=panel.metric_names, times=panel.times[5:], interval_s=1800,
        scores=np.ones(shape, np.float32), deviations=np.zeros((*shape, 2), np.float32),
        levels=np.full(shape, 2, np.float32),
    )  # fmt: skip
    judged = without_first_day(scores, panel)
    expected = np.ones(shape, bool)
    expected[[0, 2], : day - 5] = False
    expected[1, : 3 * day - 5] = False
    expected |= np.isfinite(panel.values[:, 5:]).any(axis=2) & (
        (panel.values[:, 5:, 0] > 90) | (panel.values[:, 5:, 1] < 10)
    )
    assert expected[1, 2 * day + 3 - 5]
    np.testing.assert_array_equal(np.isfinite(judged.scores), expected)
    np.testing.assert_array_equal(np.isfinite(judged.levels), expected)


def test_what_a_peer_did_before_a_newcomer_came_is_neither_odd_nor_beyond_a_line_of_it() -> None:
    made = without(panel("v1", "v2"), 1, slice(0, 30))
    shape = (2, 9 * DAY)
    scores = AnomalyScores(
        interval_s=3600, entities=("v1", "v2"), metrics=("cpu", "memory"), times=made.times,
        scores=np.ones(shape, np.float32),
        deviations=np.full((*shape, 2), 9, np.float32), levels=np.ones(shape, np.float32),
    )  # fmt: skip
    clean = without_peer_slots(scores, made, {1: 30})
    assert np.isnan(clean.deviations[1, :30]).all()
    assert np.isnan(clean.levels[1, :30]).all()
    for kept in (clean.deviations[0], clean.deviations[1, 30:], clean.scores[0], clean.scores[1, 30:]):
        assert np.isfinite(kept).all()
    assert np.isfinite(scores.deviations).all()  # what was given is as it was
    later = replace(
        scores, times=made.times[50:], scores=scores.scores[:, 50:], deviations=scores.deviations[:, 50:],
        levels=np.ones((2, 9 * DAY - 50), np.float32),
    )  # fmt: skip
    assert without_peer_slots(later, made, {1: 30}) is later  # it was there before the first slot that is judged
