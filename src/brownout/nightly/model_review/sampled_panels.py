"""A sample of a fleet that two models are compared on: as large as a test needs, whatever the size of the fleet."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.panel import Panel
from brownout.forecasting.parts import ForecastParts
from brownout.nightly.context import NightContext
from brownout.nightly.one_off_spans import one_offs, usual_forecast_panel
from brownout.store.shards import plan_shards

__all__ = ["families_of", "sampled_entities", "sampled_forecast_panels"]


def sampled_entities(context: NightContext, most: int) -> tuple[str, ...]:
    """Evenly chosen entities of each kind, consoles together with their guests and hosts.

    Of each kind ``most`` are filled up to; a kind has more where consoles bring their guests and hosts along.
    """
    topology, kinds = context.topology, dict[str, list[str]]()
    for name in sorted(context.store.spans()):
        kinds.setdefault(topology[name].kind, []).append(name)
    chosen = set(_evenly(kinds.get(EntityKind.CONSOLE, ()), most))
    chosen |= {above for name in chosen for above in topology.ancestors(name)}
    for names in kinds.values():
        missing = most - sum(name in chosen for name in names)
        chosen |= set(_evenly([name for name in names if name not in chosen], missing))
    return tuple(name for names in kinds.values() for name in names if name in chosen)


def sampled_forecast_panels(
    context: NightContext, span: tuple[np.datetime64, np.datetime64], parts: ForecastParts, *, most: int
) -> list[Panel]:
    """What a forecaster reads of the sample, on the slots of the forecast, from start until before end."""
    once, (start, end) = one_offs(context), span
    names = sampled_entities(context, most)
    plans = plan_shards(context.store, size=context.settings.shard_size, start=start, end=end, entities=names)
    panels = (usual_forecast_panel(context, context.usual_panel(plan), parts, once) for plan in plans)
    return [panel for panel in panels if panel.values.shape[1] > 1 and panel.metrics]


def _evenly(names: Sequence[str], most: int) -> list[str]:
    indices = np.linspace(0, len(names) - 1, max(min(most, len(names)), 0)).astype(int).tolist()
    return [names[index] for index in indices]


def families_of(panels: Sequence[Panel]) -> Mapping[str, str]:
    """The resource of each metric of some panels."""
    return {metric.name: str(metric.family) for panel in panels for metric in panel.metrics}
