"""Peers: the shard of entities whose past stands in for that of newcomers."""

from collections.abc import Mapping

import numpy as np

from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.domain.similarity import most_similar
from brownout.nightly.context import days, usual_panel
from brownout.settings import Settings
from brownout.store.shards import plan_shards

__all__ = ["peers_of"]

POOL = 64
"""Candidates that are read at most, whatever the number of newcomers."""


def peers_of(
    store: SampleStore,
    panel: Panel,
    newcomers: Mapping[int, int],
    settings: Settings,
    until: np.datetime64 | None = None,
) -> Panel:
    """What was measured, until the last newcomer came or a later time, of entities of the kind that were there before.

    Those that were there a day before the first one; a panel without entities where there are none.
    """
    none = panel.select(entities=[])
    if not newcomers:
        return none
    topology, spans, own = store.topology, store.spans(), [panel.entities[row] for row in newcomers]
    last = panel.start + max(newcomers.values()) * panel.step
    first = panel.start + min(newcomers.values()) * panel.step
    names = {entity.id for entity in own}
    candidates = [
        topology[name]
        for name, span in spans.items()
        if topology[name].kind == own[0].kind
        and span.interval_s == panel.interval_s
        and name not in names
        and span.first <= first - days(1)
        and span.last >= first - days(1)
    ]
    wanted = list(dict.fromkeys(peer.id for one in own for peer in most_similar(one, candidates)))[:POOL]
    end = last + np.timedelta64(1, "ms") if until is None else until
    plans = plan_shards(store, size=POOL, start=panel.start, end=end, entities=wanted)
    return usual_panel(store, plans[0], settings) if plans else none
