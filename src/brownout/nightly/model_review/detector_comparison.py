"""A newly trained detector and the one in use on the same days of the same entities: how often each alarms."""

from collections.abc import Iterator

import numpy as np

from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings.model_cards import Comparison, PairedTest
from brownout.domain.night import ModelRecord
from brownout.domain.panel import DAY_S, Panel
from brownout.evaluation.paired_tests import paired_counts
from brownout.evaluation.review_rules import ALARMS_VS_CHAMPION
from brownout.nightly.context import NightContext
from brownout.nightly.model_review.forecaster_comparison import AGAINST_CHAMPION, MOST_ENTITIES
from brownout.nightly.model_review.sampled_panels import sampled_entities
from brownout.nightly.score_shard import DETECTOR_PAST_DAYS
from brownout.numerics.slots import days
from brownout.store.shards import plan_shards

__all__ = ["compare_detectors", "detector_panels"]

CERTAIN = 0.05


def detector_panels(context: NightContext) -> Iterator[tuple[Panel, int]]:
    """Sampled entities in the window of the night, which no detector has learned from, and its first slot."""
    span, names = context.span, sampled_entities(context, MOST_ENTITIES)
    start = max(span.first, span.window - days(DETECTOR_PAST_DAYS))
    size = context.settings.shard_size
    for plan in plan_shards(context.store, size=size, start=start, end=span.end, entities=names):
        panel = context.usual_panel(plan)
        first = max(panel.slot(span.window), 1)
        if first < panel.values.shape[1]:
            yield panel, first


def compare_detectors(
    context: NightContext,
    challenger: IsolationForestDetector,
    champion: tuple[IsolationForestDetector, ModelRecord] | None,
) -> Comparison | None:
    """Alarms of both in the window of the night; None where nothing is searched there, or nobody was before."""
    if champion is None or challenger.waits_ or champion[0].waits_:
        return None
    counts: dict[str, list[tuple[float, float, float]]] = {}
    for panel, first in detector_panels(context):
        span_days = (panel.values.shape[1] - first) * panel.interval_s / DAY_S
        new, old = (_alarms(detector, panel, first) for detector in (challenger, champion[0]))
        rows = zip(new.tolist(), old.tolist(), [span_days] * len(new), strict=True)
        counts.setdefault(panel.entities[0].kind, []).extend(rows)
    if not counts:
        return None
    tables = {kind: np.array(rows) for kind, rows in counts.items()}
    tests = tuple(paired_counts(kind, t[:, 0], t[:, 1], against=AGAINST_CHAMPION) for kind, t in tables.items())
    return Comparison(
        champion_trained_to=champion[1].trained_to,
        start=context.span.window,
        end=context.span.end,
        windows=max(round((context.span.end - context.span.window) / days(1)), 1),
        entities=sum(len(table) for table in tables.values()),
        champion=_rates(tables, 1),
        challenger=_rates(tables, 0) | {f"{t.family}.{ALARMS_VS_CHAMPION}": _certain(t) for t in tests},
        tests=tests,
    )


def _alarms(detector: IsolationForestDetector, panel: Panel, first: int) -> np.ndarray:
    """How often each entity begins to be abnormal: ``[entity]``."""
    beyond = detector.score(panel, first).scores > 1.0
    begun: np.ndarray = beyond[:, :1].sum(axis=1) + (beyond[:, 1:] & ~beyond[:, :-1]).sum(axis=1)
    return begun


def _rates(tables: dict[str, np.ndarray], column: int) -> dict[str, float]:
    """Alarms of an entity a day on these days, by kind."""
    return {
        f"{kind}.seen_alarms_per_day": float(table[:, column].sum() / max(table[:, 2].sum(), 1e-9))
        for kind, table in tables.items()
    }


def _certain(test: PairedTest) -> float:
    """The ratio of alarms where entities agree that there are more; 1 where they do not."""
    return test.ratio if test.p_worse < CERTAIN else min(test.ratio, 1.0)
