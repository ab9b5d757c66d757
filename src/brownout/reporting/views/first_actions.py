"""What to do first: what is open, then what is ahead, and nothing for what is over but its prevention."""

from collections.abc import Iterable, Sequence

from brownout.domain.findings import UNKNOWN
from brownout.domain.forecasts import Breach
from brownout.reporting.report import ActionView, Incident

__all__ = ["FIRST", "first_actions"]

FIRST = 6
"""Actions in the list of what to do first: as many as somebody does before lunch."""


def first_actions(
    incidents: Sequence[Incident], ahead: Iterable[ActionView], breaches: Sequence[Breach]
) -> tuple[ActionView, ...]:
    """What to do first, each thing at one entity once.

    The first action of each open incident, the most severe and surest first; then those about breaches, what is beyond
    its limit and the most probable first; then what keeps a known fault that is over from coming back.
    """
    ranked = sorted(incidents, key=lambda incident: (-incident.severity, -incident.top.probability))
    ongoing = [action for incident in ranked if incident.open for action in incident.actions[:1]]
    prevention = [
        action
        for incident in ranked
        if not incident.open
        for action in incident.actions
        if action.prevention and action.cause != UNKNOWN
    ]
    urgency = {f"{b.series.entity} {b.series.metric}": (b.exceeded, b.probability) for b in breaches}
    coming = sorted(ahead, key=lambda action: urgency.get(action.about, (False, 0.0)), reverse=True)
    distinct: dict[tuple[str, str], ActionView] = {}
    for action in (*ongoing, *coming, *prevention):
        distinct.setdefault((action.title, action.entity), action)
    return tuple(distinct.values())[:FIRST]
