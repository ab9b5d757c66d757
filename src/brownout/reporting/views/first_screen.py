"""The first screen: who hurts now, who will, when, why, what to do, and how sure that is, one line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from brownout.domain.encoding import Instant, Number
from brownout.domain.findings import UNKNOWN, Action
from brownout.domain.forecasts import Breach
from brownout.domain.night import ConsoleLevel, Night
from brownout.reporting.anchors import action_anchor, anchor
from brownout.reporting.messages import Messages
from brownout.reporting.numbers import figure
from brownout.reporting.views.chance_skill import chance_is_told
from brownout.reporting.views.incident_order import episodes_of, first_mover

__all__ = ["FirstLine", "first_screen"]

MOST = 3
"""Lines of each kind: more is not read on a first screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLine:
    """A line of the first screen.

    Attributes
    ----------
    kind
        now: it hurts; soon: it will.
    entity
        Who: the guest, host or console.
    what
        What is the matter, and why, in a sentence without the name.
    since
        When it began; null for what is still to come.
    earliest
        From when on it may come; null for what is there.
    latest
        By when it will have come; null where that is not known.
    todo
        What to do, in a few words; empty where nothing is known.
    probability
        How sure that is; null for what was measured.
    link
        Anchor of what tells more.
    action_link
        Anchor of the action; empty without one.
    """

    kind: Literal["now", "soon"]
    entity: str
    what: str
    since: Instant | None = None
    earliest: Instant | None = None
    latest: Instant | None = None
    todo: str = ""
    probability: Number | None = None
    link: str
    action_link: str = ""


def first_screen(night: Night, say: Messages) -> tuple[FirstLine, ...]:
    """Open incidents with the consoles that they slow down, other consoles that are too slow, then what will come."""
    slow = [console for console in night.consoles if console.exceeded]
    lines, mentioned = [], set[str]()
    for diagnosis in [one for one in night.diagnoses if one.open][:MOST]:
        entity = diagnosis.top.entity or _first(night, diagnosis.id) or diagnosis.entities[0]
        hurt = _reached(night, entity, slow) if diagnosis.top.id != UNKNOWN else []
        mentioned |= {console.series.entity for console in hurt}
        known = diagnosis.top.id != UNKNOWN
        what = say(diagnosis.top.title) if known else say("behaves abnormally; nothing known explains it")
        action = _action(night, diagnosis.id)
        lines.append(
            FirstLine(
                kind="now",
                entity=entity,
                what=what + _hurting(hurt, say),
                since=diagnosis.start,
                todo="" if action is None else say(action.title),
                probability=diagnosis.top.probability if known else None,
                link=f"incident-{diagnosis.id}",
                action_link="" if action is None else action_anchor(action.about, action.title, action.entity),
            )
        )
    others = [console for console in slow if console.series.entity not in mentioned]
    if others:
        lines.append(_slow(others, say))
    coming = [breach for breach in night.breaches if not breach.exceeded and chance_is_told(breach, night)]
    return (*lines, *(_coming(breach, night, say) for breach in coming[:MOST]))


def _first(night: Night, diagnosis: str) -> str:
    """The entity that moved first in an incident."""
    incident = next(one for one in night.diagnoses if one.id == diagnosis)
    mover = first_mover(episodes_of(incident, night))
    return "" if mover is None else mover.series.entity


def _reached(night: Night, entity: str, slow: Sequence[ConsoleLevel]) -> list[ConsoleLevel]:
    """Consoles that are too slow at or below an entity, or on its host where it is a part of one."""
    topology = night.topology
    part = topology[entity].kind in ("disk", "path", "interface", "link")
    below = {entity, *topology.descendants(topology.root(entity) if part else entity)}
    return [console for console in slow if console.series.entity in below]


def _hurting(hurt: Sequence[ConsoleLevel], say: Messages) -> str:
    if not hurt:
        return ""
    name, level = hurt[0].series.entity, figure(hurt[0].now, "ms")
    if len(hurt) == 1:
        return say(": {name} answers in {level}", name=name, level=level)
    return say(": {number} consoles too slow, {name} answers in {level}", number=len(hurt), name=name, level=level)


def _slow(others: Sequence[ConsoleLevel], say: Messages) -> FirstLine:
    worst = others[0]
    what = say("answers in {level}, limit {limit}", level=figure(worst.now, "ms"), limit=figure(worst.limit, "ms"))
    if len(others) > 1:
        what += say("; so do {number} more consoles that no incident explains", number=len(others) - 1)
    return FirstLine(kind="now", entity=worst.series.entity, what=what, link="latency")


def _coming(breach: Breach, night: Night, say: Messages) -> FirstLine:
    metric, about = night.metrics[breach.series.metric], f"{breach.series.entity} {breach.series.metric}"
    what = say("{metric} will cross {limit}", metric=say(metric.label), limit=figure(breach.limit, metric.unit))
    if breach.drivers:
        driver = breach.drivers[0]
        title = say(night.metrics[driver.metric].label)
        what += say(", driven by {metric} of {entity}", metric=title, entity=driver.entity)
    action = _action(night, about) or _of_the_host(night, breach) or _for_its_like(night, breach)
    return FirstLine(
        kind="soon",
        entity=breach.series.entity,
        what=what,
        earliest=breach.earliest,
        latest=breach.latest,
        todo="" if action is None else say(action.title),
        probability=breach.probability,
        link=anchor("b", about),
        action_link="" if action is None else action_anchor(action.about, action.title, action.entity),
    )


def _of_the_host(night: Night, breach: Breach) -> Action | None:
    """What is to be done about the open incident on its host, which explains it."""
    root = night.topology.root(breach.series.entity)
    explained = [
        d for d in night.diagnoses if d.open and d.top.id != UNKNOWN and night.topology.root(d.top.entity) == root
    ]
    own = next((d for d in explained if d.top.entity == breach.series.entity), None)
    return _action(night, (own or explained[0]).id) if explained else None


def _for_its_like(night: Night, breach: Breach) -> Action | None:
    """The action against the same metric at the host of a breach: it stands for the actions of all guests there."""
    root, metric = night.topology.root(breach.series.entity), breach.series.metric
    return next((a for a in night.actions if a.entity == root and a.about.endswith(f" {metric}")), None)


def _action(night: Night, about: str) -> Action | None:
    return next((action for action in night.actions if action.about == about), None)
