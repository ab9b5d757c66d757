"""Moves of a night: what is worth moving before tomorrow, and an action for each with the commands of the platform."""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from brownout.domain.entities import EntityKind
from brownout.domain.findings import Action, Diagnosis, Freshness
from brownout.domain.findings.capacity_plan import MovePlan, PlannedMove
from brownout.domain.forecasts import Breach, Forecasts
from brownout.nightly.capacity.closed_hosts import closed_hosts, unseen_hosts
from brownout.nightly.context import NightContext
from brownout.numerics.slots import days
from brownout.planning.actions import action_of
from brownout.planning.headroom import MOST_CPU_PCT, Move
from brownout.planning.placing import FleetAhead, Rules, rebalance

__all__ = ["chosen_moves", "move_actions", "plan_moves"]

MOVED_LATELY_DAYS = 7.0
"""A guest that moved so lately stays where it is: it would go to and fro."""
REMEDY = "rebalance"
OFF_HOST = "@migrate"
"""Command of remedies that move a guest off a host: the planned one, where there is one."""


def plan_moves(
    context: NightContext,
    loads: Sequence[Forecasts],
    diagnoses: Sequence[Diagnosis],
    breaches: Sequence[Breach],
    freshness: Freshness,
) -> MovePlan:
    """What to move before tomorrow; nothing where telemetry has stopped, or nothing was forecast."""
    if freshness.stale or not loads:
        return MovePlan()
    topology = context.topology
    closed = closed_hosts(topology, diagnoses, breaches, context.metrics)
    closed |= unseen_hosts(topology, freshness, context.calendar, context.span.end)
    asked = context.settings.placement
    rules = Rules(budget=asked.moves, together=asked.together, apart=asked.apart, fixed=_fixed(context))
    since = context.span.end - days(MOVED_LATELY_DAYS)
    return rebalance(FleetAhead.of(topology, loads, closed, moved_since=since), rules)


def chosen_moves(plan: MovePlan) -> list[Move]:
    """The moves of a plan, as what chooses targets for other actions knows them."""
    return [Move(guest=m.guest, source=m.source, target=m.target, reason=_why(m)) for m in plan.moves]


def move_actions(context: NightContext, plan: MovePlan, others: Sequence[Action]) -> tuple[Action, ...]:
    """An action for each move of a plan, but for those that another action about its host makes already."""
    remedies, topology = context.remedies, context.topology
    made = {topology.root(action.entity) for action in others if _moves_off(context, action)}
    return tuple(_action(context, move) for move in plan.moves if move.source not in made and REMEDY in remedies.table)


def _moves_off(context: NightContext, action: Action) -> bool:
    remedy = context.remedies.table.get(action.remedy)
    return remedy is not None and remedy.command == OFF_HOST and not action.prevention


def _action(context: NightContext, move: PlannedMove) -> Action:
    about, remedy = f"{move.source} host_cpu_busy_pct", context.remedies.table[REMEDY]
    return action_of(about, REMEDY, move.guest, remedy, effect=None, reason="")


def _why(move: PlannedMove) -> str:
    if move.source_before <= MOST_CPU_PCT:
        return (
            f"{move.source} will be short of memory in the coming day; its CPU goes from {move.source_before:.0f} % to "
            f"{move.source_after:.0f} % busy at most, that of {move.target} from {move.target_before:.0f} % to "
            f"{move.target_after:.0f} %"
        )
    return (
        f"{move.source} will be up to {move.source_before:.0f} % busy in the coming day, "
        f"{move.source_after:.0f} % after the move, and {move.target} {move.target_after:.0f} % "
        f"instead of {move.target_before:.0f} %"
    )


def _fixed(context: NightContext) -> Collection[str]:
    """Guests that the settings keep where they are, and those that moved lately."""
    return frozenset(_fixed_guests(context))


def _fixed_guests(context: NightContext) -> Iterator[str]:
    since = context.span.end - days(MOVED_LATELY_DAYS)
    for entity in context.topology:
        if entity.kind == EntityKind.VM:
            pinned = any(fnmatchcase(entity.id, pattern) for pattern in context.settings.placement.fixed)
            if pinned or (entity.former and entity.former[-1][0] >= since):
                yield entity.id
