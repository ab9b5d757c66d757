"""Plan of a night: what to do about forecast breaches that no open incident explains."""

from collections.abc import Sequence

from brownout.domain.findings import UNKNOWN, Action, Diagnosis
from brownout.domain.forecasts import Breach
from brownout.nightly.context import NightContext
from brownout.planning.actions import merged, plan_breach

__all__ = ["plan_breaches"]


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
