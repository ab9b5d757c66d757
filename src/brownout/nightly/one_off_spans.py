"""What is forecast from and learned from: the forecast's slots without incidents that are over and do not return."""

import numpy as np

from brownout.domain.panel import Panel
from brownout.forecasting.parts import ForecastParts, Part
from brownout.forecasting.present import Spans, without_lone_bursts, without_one_offs
from brownout.nightly.context import NightContext
from brownout.nightly.detect import ShardDetection
from brownout.nightly.panels import forecast_panel, limited_panel

__all__ = ["left_out_share", "one_offs", "usual_forecast_panel"]


def usual_forecast_panel(context: NightContext, panel: Panel, parts: ForecastParts, once: Spans) -> Panel:
    """A panel on the slots of the forecast, without the one-offs of the spans and those that nobody noticed."""
    settings = context.settings.forecast
    if not parts.has(Part.ONE_OFFS):
        return forecast_panel(panel, settings)
    limited = limited_panel(panel, settings)  # what happened once is told metric by metric
    return without_lone_bursts(forecast_panel(without_one_offs(limited, once), settings))


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


def left_out_share(whole: Panel, usual: Panel) -> tuple[int, int]:
    """How many values of a panel are left out of the usual one, and how many it has."""
    measured = int(np.isfinite(whole.values).sum())
    return measured - int(np.isfinite(usual.values).sum()), measured
