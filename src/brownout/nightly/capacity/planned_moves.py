"""Moves of a night: what is worth moving before tomorrow, and an action for each with the commands of the platform."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from brownout.domain.entities import EntityKind
from brownout.domain.findings import Action, Diagnosis, Freshness
from brownout.domain.findings.capacity_plan import MovePlan, Part, PartMove, PlannedMove
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Breach, Forecasts
from brownout.nightly.capacity.closed_hosts import closed_hosts, unseen_hosts
from brownout.nightly.context import NightContext
from brownout.numerics.slots import days
from brownout.planning.actions import action_of
from brownout.planning.headroom import MOST_CPU_PCT, Move
from brownout.planning.placing import FleetAhead, Rules, rebalance
from brownout.planning.placing.part_moves import Fullness, disk_moves, uplink_moves
from brownout.planning.platform_operations import Platform

__all__ = ["chosen_moves", "move_actions", "plan_moves", "planned_values"]

MOVED_LATELY_DAYS = 7.0
"""A guest that moved so lately stays where it is: it would go to and fro."""
REMEDY, FOR_MEMORY = "rebalance", "rebalance-memory"
"""Remedies that move a guest off a host that will be too busy, or short of memory."""
PARTS = {Part.DISK: "move-image", Part.UPLINK: "move-card"}
"""Remedies that move parts of guests."""
METRICS = {Part.DISK: "disk_used_pct", Part.UPLINK: "net_util_pct"}
OFF_HOST = "@migrate"
"""Command of remedies that move a guest off a host: the planned one, where there is one."""


def plan_moves(  # noqa: PLR0913, PLR0917 - what a night has found by then
    context: NightContext,
    loads: Sequence[Forecasts],
    diagnoses: Sequence[Diagnosis],
    breaches: Sequence[Breach],
    levels: Sequence[Level],
    freshness: Freshness,
) -> MovePlan:
    """What to move before tomorrow; nothing where telemetry has stopped, or nothing was forecast."""
    if freshness.stale:
        return MovePlan()
    parts = _part_moves(context, levels, breaches)
    if not loads:
        return MovePlan(parts=parts)
    topology = context.topology
    closed = closed_hosts(topology, diagnoses, breaches, context.metrics)
    closed |= unseen_hosts(topology, freshness, context.calendar, context.span.end)
    placement = context.settings.placement
    rules = Rules(budget=placement.moves, together=placement.together, apart=placement.apart, fixed=_fixed(context))
    since = context.span.end - days(MOVED_LATELY_DAYS)
    moves = rebalance(FleetAhead.of(topology, loads, closed, moved_since=since), rules)
    return replace(moves, parts=parts)


def _part_moves(context: NightContext, levels: Sequence[Level], breaches: Sequence[Breach]) -> tuple[PartMove, ...]:
    """Disks and network cards to move on their host: where libvirt's facts say which they are, and nova keeps none."""
    placement, full = context.settings.placement, Fullness.of(context.topology, levels, breaches)

    def fixed(guest: str) -> bool:
        return any(fnmatchcase(guest, pattern) for pattern in placement.fixed)

    if Platform(context.settings.platform) is Platform.OPENSTACK:
        return ()
    disks = disk_moves(full, budget=placement.moves, fixed=fixed)
    return (*disks, *uplink_moves(full, placement.networks, budget=placement.moves - len(disks), fixed=fixed))


def planned_values(plan: MovePlan) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """What the plan has chosen for the commands, by guest and remedy."""
    return {(move.guest, PARTS[move.part]): move.values for move in plan.parts}


def chosen_moves(plan: MovePlan) -> list[Move]:
    """The moves of a plan, as what chooses targets for other actions knows them."""
    return [Move(guest=m.guest, source=m.source, target=m.target, reason=_why(m), cures=_cures(m)) for m in plan.moves]


def _cures(move: PlannedMove) -> float:
    """Share of what the source lacks that the move takes away."""
    if move.source_before > MOST_CPU_PCT:
        return min((move.source_before - move.source_after) / (move.source_before - MOST_CPU_PCT), 1.0)
    return min(move.frees_gib / move.lacks_gib, 1.0) if move.lacks_gib > 0 else 1.0


def move_actions(context: NightContext, plan: MovePlan, others: Sequence[Action]) -> tuple[Action, ...]:
    """An action for each move of a plan, but for the first off a host that another action makes already."""
    remedies, topology = context.remedies, context.topology
    relieved_hosts = {topology.root(action.entity) for action in others if _moves_off(context, action)}
    guests = []
    for move in plan.moves:
        if move.source in relieved_hosts:
            relieved_hosts.remove(move.source)
        elif _remedy(move) in remedies.table:
            guests.append(_action(context, move))
    parts = [_part_action(context, move) for move in plan.parts if PARTS[move.part] in remedies.table]
    return (*guests, *parts)


def _part_action(context: NightContext, move: PartMove) -> Action:
    name, metric = PARTS[move.part], METRICS[move.part]
    remedy = context.remedies.table[name]
    reason = (
        f"{move.source} is {move.source_before:.0f} % used when busy, {move.source_low:.0f} to {move.source_high:.0f} "
        f"% after the move, and {move.target} {move.target_low:.0f} to {move.target_high:.0f} % "
        f"instead of {move.target_before:.0f} %"
    )
    reason = "; ".join(filter(None, (reason, move.caution)))
    return action_of(f"{move.source} {metric}", name, move.guest, remedy, effect=None, reason=reason)


def _moves_off(context: NightContext, action: Action) -> bool:
    remedy = context.remedies.table.get(action.remedy)
    return remedy is not None and remedy.command == OFF_HOST and not action.prevention


def _action(context: NightContext, move: PlannedMove) -> Action:
    remedy = context.remedies.table[_remedy(move)]
    return action_of(f"{move.source} {remedy.verify}", remedy.id, move.guest, remedy, effect=None, reason="")


def _remedy(move: PlannedMove) -> str:
    return REMEDY if move.source_before > MOST_CPU_PCT else FOR_MEMORY


def _why(move: PlannedMove) -> str:
    beginning = f"move {move.guest} to {move.target}; "
    if move.source_before <= MOST_CPU_PCT:
        return (
            f"{beginning}{move.source} will be short of {move.lacks_gib:.3g} GiB of memory in the coming day, "
            f"of which this frees {move.frees_gib:.3g} GiB; "
            f"its CPU goes from {move.source_before:.0f} % to {move.source_after:.0f} % busy at most, "
            f"that of {move.target} from {move.target_before:.0f} % to {move.target_after:.0f} %"
        )
    return (
        f"{beginning}{move.source} will be asked for up to {move.source_before:.0f} % of its CPU in the coming day, "
        f"{move.source_after:.0f} % after the move, and {move.target} for {move.target_after:.0f} % "
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
