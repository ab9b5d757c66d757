"""When hosts of a kind run out, from the weeks of the history."""

from collections.abc import Iterator

from brownout.domain.entities import EntityKind
from brownout.domain.findings.capacity_plan import HardwareOutlook
from brownout.nightly.context import NightContext
from brownout.numerics.slots import days, whole_slots
from brownout.planning.hardware_roadmap import LEAST_WEEKS, HostDemand, hardware_roadmap, host_demands
from brownout.planning.right_sizing import HALF_HOUR_S
from brownout.store.memory import release_memory
from brownout.store.shards import plan_shards

__all__ = ["hardware_outlook"]

PAST_WEEKS = 12


def hardware_outlook(context: NightContext) -> tuple[HardwareOutlook, ...]:
    """When each kind of host runs out, by twelve weeks at most; nothing where there are less than four."""
    if context.span.end - context.span.first < days(7 * LEAST_WEEKS):
        return ()
    return hardware_roadmap(tuple(_demands(context)), context.span.end)


def _demands(context: NightContext) -> Iterator[HostDemand]:
    """Demand of all hosts, read a shard at a time."""
    span, store = context.span, context.store
    hosts = [name for name in store.spans() if store.topology[name].kind == EntityKind.HOST]
    start = max(span.first, span.end - days(7 * PAST_WEEKS))
    for plan in plan_shards(store, size=context.settings.shard_size, start=start, end=span.end, entities=hosts):
        panel = context.usual_panel(plan)
        yield from host_demands(panel.coarsen(whole_slots(HALF_HOUR_S, panel.interval_s)))
        release_memory()
