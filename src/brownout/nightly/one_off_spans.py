"""Spans of incidents that are over, by entity: what happened in them once is no season."""

import numpy as np

from brownout.forecasting.present import Spans
from brownout.nightly.context import NightContext
from brownout.nightly.detect import ShardDetection

__all__ = ["one_offs"]


def one_offs(context: NightContext, detection: ShardDetection | None = None) -> Spans:
    """Spans of the episodes of the night's detection and of the night before, without what is going on.

    What ends as the data end is still going on, whatever the night before called it.
    """
    episodes = detection.episodes if detection else ()
    going_on = {episode.id for episode in episodes if episode.open}
    spans: dict[str, list[tuple[np.datetime64, np.datetime64]]] = {}
    for episode in (*episodes, *context.state.known):
        if episode.id not in going_on and episode.end < context.span.end:
            spans.setdefault(episode.entity, []).append((episode.start, episode.end))
    return spans
