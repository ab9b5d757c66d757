"""Every stage on panels that hold hardly anything: a result, or an error that says what to do; never a traceback.

Warnings of NumPy are errors here: a mean of nothing is a figure that nobody thought about.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from panels import METRICS, waves
from strict_warnings import warnings_are_errors

from brownout.detection.baseline.level_shifts import (
    lasting_shifts,
    moved_to_new_level,
    rescored_after_shifts,
    with_accepted_shifts,
)
from brownout.detection.baseline.newcomers import (
    newcomers_in,
    with_peer_history,
    without_first_day,
    without_peer_slots,
)
from brownout.detection.baseline.normal_periods import block_peaks, sustained, unusual
from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.episodes.metric_shares import metric_shares, with_metric_shares
from brownout.detection.episodes.movement_shape import shape_of
from brownout.detection.episodes.outliers import single_sample_episodes
from brownout.detection.episodes.relocation import relocation_episodes
from brownout.detection.episodes.segmentation import find_episodes, in_progress
from brownout.detection.episodes.threshold_rules import Condition, Rule, load_rules, rule_states, with_rules
from brownout.detection.features.feature_table import FEATURES, entity_features
from brownout.detection.features.views import views
from brownout.detection.forest.deduplication import deduplicated
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import DataError
from brownout.domain.findings import Episode, Mover, Shift
from brownout.domain.forecasts import Series
from brownout.domain.panel import Panel

INTERVAL = 900
DAY = 86_400 // INTERVAL


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings_are_errors():
        yield


def _only(panel: Panel, keep: np.ndarray) -> Panel:
    return replace(panel, values=np.where(keep[None, :, None], panel.values, np.float32(np.nan)))


def _cut(panel: Panel, slots: int) -> Panel:
    return panel.between(panel.start, panel.start + slots * panel.step)


@cache
def _whole() -> Panel:
    return waves(interval_s=INTERVAL, days=4)


def _panels() -> dict[str, Callable[[], Panel]]:
    slots = np.arange(4 * DAY)
    return {
        "no entities": lambda: _whole().select(entities=[]),
        "no metrics": lambda: _whole().select(metrics=[]),
        "no slots": lambda: _cut(_whole(), 0),
        "one slot": lambda: _cut(_whole(), 1),
        "two slots": lambda: _cut(_whole(), 2),
        "two hours": lambda: _cut(_whole(), 8),
        "one entity": lambda: _whole().select(entities=[1]),
        "one metric": lambda: _whole().select(metrics=[0]),
        "nothing measured": lambda: _only(_whole(), slots < 0),
        "one sample of all": lambda: _only(_whole(), slots == 2 * DAY + 5),
        "last slot only": lambda: _only(_whole(), slots == 4 * DAY - 1),
        "every fifth slot": lambda: _only(_whole(), slots % 5 == 0),
        "one sample a day": lambda: _only(_whole(), slots % DAY == 7),
        "a gap of months": lambda: _with_gap(60 * DAY),
        "one entity measured": lambda: _blanked(entity=slice(1, None)),
        "one metric measured": lambda: _blanked(metric=slice(1, None)),
        "always the same": lambda: replace(_whole(), values=np.full_like(_whole().values, 50)),
        "slots of a day": lambda: waves(interval_s=86_400, days=12),
        "slots of two days": lambda: replace(waves(interval_s=86_400, days=12), interval_s=172_800),
    }


def _with_gap(slots: int) -> Panel:
    whole = _whole().select(entities=[0, 1])
    gap = np.full((2, slots, 2), np.nan, np.float32)
    return replace(whole, values=np.concatenate([whole.values[:, :DAY], gap, whole.values[:, DAY:]], axis=1))


def _blanked(entity: slice = slice(None), metric: slice = slice(None)) -> Panel:
    values = _whole().values.copy()
    values[entity, :, metric] = np.nan
    return replace(_whole(), values=values)


PANELS = _panels()


@pytest.fixture(params=sorted(PANELS))
def panel(request: pytest.FixtureRequest) -> Panel:
    return PANELS[request.param]()


@cache
def detector() -> IsolationForestDetector:
    return IsolationForestDetector(DetectorSettings(trees=10)).fit([_whole()])


def starts(panel: Panel) -> list[int]:
    slots = panel.values.shape[1]
    return sorted({0, slots // 3, max(slots - 1, 0), slots})


def episodes_on(panel: Panel) -> list[Episode]:
    """An episode at the start, in the middle and at the end of each entity, each with all metrics as movers."""
    slots = panel.values.shape[1]
    spans = {(0, min(1, slots)), (slots // 3, slots), (max(slots - 1, 0), slots)}
    return [
        Episode(
            id=f"{entity.id}-{first}", entity=entity.id, start=panel.start + first * panel.step,
            end=panel.start + last * panel.step, open=last == slots, severity=1.5,
            movers=tuple(
                Mover(series=Series(entity.id, metric.name), usual=50.0, peak=90.0, deviation=9.0,
                      onset=panel.start + first * panel.step, share=0.95)
                for metric in panel.metrics
            ),
        )
        for entity in panel.entities
        for first, last in sorted(spans)
    ]  # fmt: skip


def shifts_on(panel: Panel) -> list[Shift]:
    middle = panel.start + (panel.values.shape[1] // 2) * panel.step
    later = middle + 3 * panel.step
    return [
        Shift(series=Series(e.id, m.name), onset=middle, at=later, usual=50.0, level=60.0, factor=k > 0)
        for e in panel.entities
        for k, m in enumerate(panel.metrics)
    ]  # fmt: skip


def test_parts_of_a_panel_are_panels(panel: Panel) -> None:
    assert panel.measured().values.shape[:2] == panel.values.shape[:2]
    assert panel.between(panel.end, panel.end).values.shape[1] == 0
    assert panel.between(panel.start, panel.end).values.shape == panel.values.shape
    coarse = panel.coarsen(7)
    assert coarse.interval_s == 7 * panel.interval_s
    assert np.isfinite(coarse.values).any() == np.isfinite(panel.values).any()
    assert panel.slots_per_day >= 1
    for column, metric in enumerate(panel.metrics):
        assert metric.exceeds(panel.values[..., column]).shape == panel.values.shape[:2]


def test_maintenance_hides_what_there_is(panel: Panel) -> None:
    always = Maintenance(name="all", entities=("*",), once=(panel.start, panel.end))
    hidden = Calendar((always,)).without(panel, Topology.of(panel.entities))
    assert not np.isfinite(hidden.values).any()


def test_features_have_a_row_a_slot(panel: Panel) -> None:
    entities, slots, metrics = panel.values.shape
    for start in starts(panel):
        for name, signed in views(panel, start):
            assert signed.shape == (entities, slots - start, metrics), name
        features = entity_features(panel, start)
        assert features.rows.shape == (entities, slots - start, len(FEATURES))
        measured = np.isfinite(panel.values[:, start:]).any(axis=2)
        np.testing.assert_array_equal(np.isfinite(features.rows).all(axis=2), measured)


def test_a_detector_learns_or_says_that_there_is_nothing_to_learn_from(panel: Panel) -> None:
    try:
        fitted = IsolationForestDetector(DetectorSettings(trees=5)).fit([panel])
    except DataError:
        return
    scores = fitted.score(panel)
    assert scores.scores.shape == panel.values.shape[:2]
    for threshold in fitted.thresholds_.values():
        assert np.isfinite([threshold.level.boundary, threshold.novelty.boundary]).all()
    assert fitted.per_day(panel.entities[0].kind, 1.0) >= 0


def test_what_was_measured_is_scored_and_nothing_else(panel: Panel) -> None:
    for start in starts(panel):
        scores = detector().score(panel, start)
        measured = np.isfinite(panel.values[:, start:]).any(axis=2)
        np.testing.assert_array_equal(np.isfinite(scores.scores), measured)
        found = find_episodes(scores, panel)
        shared = with_metric_shares(found, scores, panel, detector())
        assert [episode.id for episode in shared] == [episode.id for episode in found]
        assert scores.levels is not None
        assert in_progress(scores.levels, panel.interval_s).shape == measured.shape
        assert deduplicated(scores.scores, start).shape == measured.shape
        sustained(scores.levels.copy())
        largest = np.abs(scores.deviations).max(axis=2, initial=0)
        assert unusual(largest, panel.interval_s).sum() <= 0.5 * largest.size
        assert np.isfinite(block_peaks(scores.levels, panel.interval_s)).all()


def test_metric_shares_sum_to_one_or_are_zero(panel: Panel) -> None:
    rows, slots = np.nonzero(np.isfinite(panel.values).any(axis=2))
    chosen = np.unique(np.linspace(0, len(rows) - 1, 5).astype(int)) if len(rows) else np.empty(0, int)
    shares = metric_shares(detector(), panel, rows[chosen].tolist(), slots[chosen].tolist())
    total = shares.sum(axis=1)
    assert ((np.abs(total - 1) < 1e-6) | (total == 0)).all()


def test_every_rule_has_a_state_for_every_slot(panel: Panel) -> None:
    for rule in load_rules():
        tests = tuple(replace(test, metric=METRICS[k % 2].name) for k, test in enumerate((*rule.tests, *rule.clear)))
        moved = replace(rule, tests=tests[: len(rule.tests)], clear=tests[len(rule.tests) :], where={})
        states = rule_states(moved, panel)
        assert states is None or states.shape == panel.values.shape[:2]
    with_rules(episodes_on(panel), panel, load_rules())


@pytest.mark.parametrize("measure", ["value", "rise", "drop", "shift", "times", "hours_left"])
def test_every_measure_is_unknown_where_too_little_was_measured(measure: str, panel: Panel) -> None:
    condition = Condition(metric=METRICS[0].name, op=">", value=1.0, measure=measure, span_s=7200.0)
    states = rule_states(Rule(id="r", title="r", tests=(condition,), for_s=900.0), panel)
    if states is not None:
        column = panel.metric_names.index(METRICS[0].name)
        never = ~np.isfinite(panel.values[..., column]).any(axis=1)
        assert (states[never] == -1).all()


def test_episodes_are_judged_on_what_there_is(panel: Panel) -> None:
    episodes = episodes_on(panel)
    moves = {entity.id: {panel.start: "vm0"} for entity in panel.entities}
    for suppressed in (single_sample_episodes(episodes, panel), relocation_episodes(episodes, panel, moves)):
        assert {s.episode.id for s in suppressed} <= {episode.id for episode in episodes}
    shifts = lasting_shifts(episodes, panel, hours=6.0)
    assert len(with_accepted_shifts(episodes, shifts)) == len(episodes)
    for row in range(len(panel.entities)):
        for column in range(len(panel.metrics)):
            values = panel.values[row, :, column]
            shape_of(values, values[:0], np.full_like(values, 9), 4.0)
            shape_of(values, values, np.zeros_like(values), 4.0)


def test_shifted_levels_are_scored_again(panel: Panel) -> None:
    shifts = shifts_on(panel)
    assert moved_to_new_level(panel, shifts).values.shape == panel.values.shape
    for start in starts(panel):
        scores = detector().score(panel, start)
        again, known = rescored_after_shifts(detector(), scores, panel, shifts, 6.0)
        assert again.scores.shape == scores.scores.shape
        assert len(known) >= len(shifts)


@pytest.mark.parametrize(
    "lender", ["no entities", "no metrics", "no slots", "nothing measured", "one metric", "two hours"]
)
def test_newcomers_borrow_from_whatever_peers_there_are(lender: str, panel: Panel) -> None:
    peers = PANELS[lender]()
    names = tuple(Entity(id=f"peer-{entity.id}") for entity in peers.entities)
    peers = replace(peers, interval_s=panel.interval_s, entities=names)
    new = newcomers_in(panel)
    filled = with_peer_history(panel, peers, new)
    known = np.isfinite(panel.values)
    np.testing.assert_array_equal(filled.values[known], panel.values[known])
    scores = detector().score(panel)
    assert without_peer_slots(scores, filled, new).scores.shape == scores.scores.shape
    assert without_first_day(scores, panel).scores.shape == scores.scores.shape
