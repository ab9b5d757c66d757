"""Episodes that a single outlying sample made: one sample is no brownout, however far it lies from the others."""

from collections.abc import Sequence

import numpy as np

from brownout.domain.findings import Episode, SuppressedEpisode, SuppressionReason
from brownout.domain.panel import Panel

__all__ = ["single_sample_episodes"]

LONE_S = 120
"""Longest interval at which a sample can be an outlier: with longer ones it stands for an incident of minutes."""
FAR = 0.5
"""Share of the largest distance to the usual value from which a sample is far."""
AFTER = 2
"""Normal samples that must follow before a far one is known to be single."""
MOST = 0.9
"""Share in the level that the metric must have."""


def single_sample_episodes(episodes: Sequence[Episode], panel: Panel) -> tuple[SuppressedEpisode, ...]:
    """Episodes that a single sample of one metric made; never one with a raised rule. ``panel`` holds their slots."""
    if panel.interval_s > LONE_S:
        return ()
    return tuple(
        SuppressedEpisode(episode=episode, why=SuppressionReason.OUTLIER, reason=reason, because=episode.lead)
        for episode in episodes
        if (reason := _reason(episode, panel))
    )


def _reason(episode: Episode, panel: Panel) -> str:
    """What the single sample was; empty where more than one made the episode."""
    if episode.rules or not episode.movers or not episode.movers[0].share >= MOST:
        return ""
    lead = episode.movers[0]
    metric = panel.metrics[panel.metric_names.index(lead.series.metric)]
    first, last = (max(panel.slot(time), 0) for time in (min(lead.onset, episode.start), episode.end))
    # An episode can end with its one sample: only what follows shows that the sample was single.
    within = slice(first, last + AFTER + 1)
    values = panel.values[panel.entity_ids.index(episode.entity), within, panel.metrics.index(metric)]
    values = values[np.isfinite(values)]
    distance = np.abs(values - lead.usual)
    far = np.flatnonzero(distance >= FAR * distance.max(initial=np.inf if not len(values) else 0.0))
    if len(far) != 1 or len(values) - far[0] <= AFTER:
        return ""
    unit = f" {metric.unit}" if metric.unit else ""
    return f"a single sample of {metric.label}: {values[far[0]]:.3g}{unit}, usually {lead.usual:.3g}{unit}"
