"""Plan of a night: what to do about breaches that no open incident explains, and the commands of all actions."""

from collections.abc import Sequence

from brownout.domain.findings import UNKNOWN, Action, Diagnosis
from brownout.domain.findings.capacity_plan import MovePlan
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Breach
from brownout.nightly.capacity.planned_moves import chosen_moves, planned_values
from brownout.nightly.context import NightContext
from brownout.planning.actions import merged, plan_breach
from brownout.planning.commands import Site, completed
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import Platform

__all__ = ["plan_breaches", "with_commands"]


def plan_breaches(
    context: NightContext, breaches: Sequence[Breach], diagnoses: Sequence[Diagnosis]
) -> tuple[Action, ...]:
    """One action for each breach that no incident still open on its host already explains."""
    topology = context.topology
    explained = {
        topology.root(entity)
        for diagnosis in diagnoses
        if diagnosis.open and diagnosis.top.id != UNKNOWN
        for entity in diagnosis.entities[:1]
    }
    actions = [
        plan_breach(breach, context.metrics, topology, context.remedies)
        for breach in breaches
        if topology.root(breach.series.entity) not in explained
    ]
    return tuple(merged(actions))


def with_commands(  # noqa: PLR0913 - each says where guests may go
    context: NightContext,
    actions: Sequence[Action],
    diagnoses: Sequence[Diagnosis],
    breaches: Sequence[Breach],
    levels: Sequence[Level],
    *,
    plan: MovePlan,
) -> tuple[Action, ...]:
    """Actions with the commands of the site's platform; no host in trouble, or forecast to be, takes a guest in.

    The moves of the night's ``plan`` are made first; then actions for open incidents choose their guests and targets,
    then those for what is forecast.
    """
    topology = context.topology
    avoid = {topology.root(entity) for diagnosis in diagnoses if diagnosis.open for entity in diagnosis.entities[:1]}
    avoid |= {topology.root(breach.series.entity) for breach in breaches if topology[breach.series.entity].kind != "vm"}
    open_ones = {diagnosis.id for diagnosis in diagnoses if diagnosis.open}
    order = sorted(range(len(actions)), key=lambda index: actions[index].about not in open_ones)
    headroom = Headroom.of(topology, levels, avoid)
    headroom.chosen.extend(chosen_moves(plan))
    site = Site(
        platform=Platform(context.settings.platform),
        operations=context.remedies.operations,
        topology=topology,
        headroom=headroom,
        planned=planned_values(plan),
    )
    filled = completed([actions[index] for index in order], site, context.remedies)
    at = dict(zip(order, filled, strict=True))
    return tuple(at[index] for index in range(len(actions)))
