"""Episodes of single metrics: beyond a line or on their way to a limit, and unusual; whatever the sampling."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.detection.episodes.line_episodes import Line, line_episodes
from brownout.detection.features.feature_table import entity_features
from brownout.domain.entities import Entity
from brownout.domain.findings import AnomalyScores, Episode
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02", "ms")
CATALOGUE = shipped_catalogue().metrics
METRICS = tuple(CATALOGUE[name] for name in ("host_close_wait", "host_conntrack_pct"))
LINES = (Line(metric="host_close_wait", value=120.0, up=True),)
DAYS = 5


def host(interval_s: int, *, names: tuple[str, ...] = ("kvm1", "kvm2"), seed: int = 1) -> Panel:
    slots = DAYS * 86_400 // interval_s
    rng = np.random.default_rng(seed)
    values = np.stack([rng.poisson(3, (len(names), slots)), rng.normal(8, 0.5, (len(names), slots))], axis=2)
    return Panel(values.astype(np.float32), START, interval_s, tuple(Entity(id=n, kind="host") for n in names), METRICS)


def found_in(panel: Panel, known: tuple[Episode, ...] = (), level: float = 0.4) -> tuple[Episode, ...]:
    first = 3 * 86_400 // panel.interval_s
    features = entity_features(panel, first)
    levels = np.full(features.rows.shape[:2], level, np.float32)
    scores = AnomalyScores(
        entities=panel.entity_ids, metrics=panel.metric_names, times=panel.times[first:], interval_s=panel.interval_s,
        scores=levels, deviations=features.deviations, levels=levels,
    )  # fmt: skip
    return line_episodes(scores, panel, LINES, known)


def with_sockets(panel: Panel, begin_h: float, end_h: float) -> Panel:
    values = panel.values.copy()
    slot = 3600 / panel.interval_s
    values[0, round((72 + begin_h) * slot) : round((72 + end_h) * slot), 0] = 2020
    return replace(panel, values=values)


@pytest.mark.parametrize("interval_s", [60, 300, 900])
def test_sockets_that_nobody_closes_are_an_episode_of_their_own_metric(interval_s: int) -> None:
    (one,) = found_in(with_sockets(host(interval_s), 10, 16))
    assert (one.entity, [m.series.metric for m in one.movers], one.open) == ("kvm1", ["host_close_wait"], False)
    hours = (one.start - START) / np.timedelta64(3_600_000, "ms") - 72
    assert hours == pytest.approx(10, abs=0.5)
    assert one.severity == pytest.approx(0.4)


def test_a_table_on_its_way_to_its_limit_is_an_episode_before_it_is_full() -> None:
    panel = host(300)
    values = panel.values.copy()
    values[0, 4 * 288 :, 1] += np.linspace(0, 40, 288)
    (one,) = found_in(replace(panel, values=values))
    assert (one.entity, one.lead, one.open) == ("kvm1", "host_conntrack_pct", True)


def test_nothing_is_told_of_what_is_usual_or_within_its_line() -> None:
    assert found_in(host(300)) == ()
    calm = host(300)
    assert found_in(replace(calm, values=np.minimum(calm.values + 60, 100))) == ()


def test_names_order_and_idle_company_change_nothing() -> None:
    panel = with_sockets(host(300, names=("kvm1", "kvm2")), 10, 16)
    (one,) = found_in(panel)
    renamed = replace(panel, entities=(Entity(id="a", kind="host"), Entity(id="b", kind="host")))
    (other,) = found_in(renamed)
    assert (other.entity, other.start, other.end) == ("a", one.start, one.end)
    turned = panel.select(entities=[1, 0])
    assert [(e.entity, e.start) for e in found_in(turned)] == [(one.entity, one.start)]
    idle = host(300, names=("kvm3",), seed=9)
    company = replace(
        panel, values=np.concatenate([panel.values, idle.values]), entities=(*panel.entities, *idle.entities)
    )
    assert [(e.entity, e.start) for e in found_in(company)] == [(one.entity, one.start)]


def test_what_an_episode_tells_of_the_metric_is_not_told_again() -> None:
    panel = with_sockets(host(300), 10, 16)
    (one,) = found_in(panel)
    assert found_in(panel, (one,)) == ()
    assert found_in(panel, (replace(one, entity="kvm2"),)) != ()
    assert found_in(panel, (replace(one, movers=()),)) != ()


def test_what_stays_beyond_its_line_is_open_though_it_has_become_usual() -> None:
    """Six days of sockets that nobody closes: their own past calls them usual, the line does not."""
    slots = 10 * 288
    values = np.full((1, slots, 2), 5.0, np.float32)
    values[0, 4 * 288 :, 0] = 2020
    panel = Panel(values, START, 300, (Entity(id="kvm1", kind="host"),), METRICS)
    (one,) = found_in(panel)
    assert one.open
    assert one.start - START == np.timedelta64(4, "D")
    early = replace(one, end=one.start + np.timedelta64(6, "h"), open=False)
    assert [e.open for e in found_in(panel, (early,))] == [True]
