"""Siblings: entities whose past stands in for that of newcomers."""

from collections.abc import Mapping

import numpy as np

from brownout.domain.panel import Panel
from brownout.domain.similarity import most_similar
from brownout.nightly.context import NightContext
from brownout.numerics.slots import days
from brownout.store.shards import plan_shards

__all__ = ["sibling_panel"]

POOL = 64
"""Candidates that are read at most, whatever the number of newcomers."""


def sibling_panel(
    context: NightContext, panel: Panel, newcomers: Mapping[int, int], until: np.datetime64 | None = None
) -> Panel:
    """What entities of the newcomers' kind measured, until the last newcomer came or until a later time.

    Chosen are those most similar to the newcomers that were measured a day before the first of them; a panel without
    entities where there are none.

    Parameters
    ----------
    newcomers
        Row in the panel of each newcomer, with the slot from which on it was measured.
    """
    none = panel.select(entities=[])
    if not newcomers:
        return none
    topology, spans = context.topology, context.store.spans()
    entities = [panel.entities[row] for row in newcomers]
    last = panel.start + max(newcomers.values()) * panel.step
    first = panel.start + min(newcomers.values()) * panel.step
    names = {entity.id for entity in entities}
    candidates = [
        topology[name]
        for name, span in spans.items()
        if topology[name].kind == entities[0].kind
        and span.interval_s == panel.interval_s
        and name not in names
        and span.first <= first - days(1)
        and span.last >= first - days(1)
    ]
    similar = (sibling.id for entity in entities for sibling in most_similar(entity, candidates))
    chosen = list(dict.fromkeys(similar))[:POOL]
    end = last + np.timedelta64(1, "ms") if until is None else until
    plans = plan_shards(context.store, size=POOL, start=panel.start, end=end, entities=chosen)
    return context.usual_panel(plans[0]) if plans else none
