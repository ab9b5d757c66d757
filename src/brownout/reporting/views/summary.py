"""The report in a few figures and sentences; every count of the page is taken from here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from brownout.domain.encoding import Number
from brownout.domain.entities import EntityKind
from brownout.domain.findings import UNKNOWN, Diagnosis
from brownout.domain.forecasts import Breach
from brownout.domain.night import ConsoleLevel, Night
from brownout.reporting.messages import Messages
from brownout.reporting.numbers import clock, figure, percent, span
from brownout.reporting.views.chance_skill import chance_is_told
from brownout.reporting.views.fleet_overview import HALF, silence_sentences, stale_headline
from brownout.reporting.views.incident_order import episodes_of, first_mover

__all__ = ["EVEN_CHANCE", "Outlook", "Summary", "outlook_of", "summary_of"]

FEW = 3
"""Sentences about incidents, and about breaches: more is not read on a first screen."""
EVEN_CHANCE = 0.5
"""Chance from which something will probably happen."""
BESIDE_ITS_HOST = frozenset({EntityKind.DISK, EntityKind.PATH, EntityKind.INTERFACE, EntityKind.LINK})
"""Kinds of entity whose trouble is that of everything on their host."""
Outlook = Literal["exceeded", "probable", "possible", "later"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The report in a few figures and sentences.

    Attributes
    ----------
    headline
        What an operator must know first.
    sentences
        What comes next, in order.
    incidents_open
        Incidents that were going on at the end of the data.
    incidents_over
        Incidents that were over by then.
    suppressed
        Episodes that raise no alarm.
    breaches
        All limits of ``breaches``: the sum of the next four.
    exceeded
        Limits that are crossed already.
    probable
        Limits that will be crossed within the horizon with at least an even chance that has skill.
    possible
        Limits that may be crossed within the horizon: the chance is below even, or has no skill.
    later
        Limits that may be crossed in the weeks after the horizon.
    consoles
        All consoles.
    consoles_at_risk
        Consoles that will probably cross a limit, depend on an entity that will, or take part in an open incident.
    consoles_measured
        Consoles that were measured in the last half hour.
    consoles_too_slow
        Those of them that are beyond their limit now.
    slowest
        The console that is slowest now; None where none was measured.
    latency_ms
        Median of console latency over all consoles and the whole window; None without consoles.
    latency_p90_ms
        90 % quantile of the same over the consoles.
    """

    headline: str
    sentences: tuple[str, ...]
    incidents_open: int
    incidents_over: int
    suppressed: int
    breaches: int
    exceeded: int
    probable: int
    possible: int
    later: int
    consoles: int
    consoles_at_risk: int
    consoles_measured: int
    consoles_too_slow: int
    slowest: ConsoleLevel | None
    latency_ms: Number | None
    latency_p90_ms: Number | None


def outlook_of(breach: Breach, night: Night) -> Outlook:
    """How sure a breach is and when it comes, in one word; nothing is probable by chances without skill."""
    if breach.exceeded:
        return "exceeded"
    if breach.horizon_s > night.horizon_s:
        return "later"
    return "probable" if breach.probability >= EVEN_CHANCE and chance_is_told(breach, night) else "possible"


def summary_of(night: Night, say: Messages | None = None) -> Summary:
    """Headline, the next few sentences, and the figures of the first screen."""
    say = say or Messages()
    ongoing = [diagnosis for diagnosis in night.diagnoses if diagnosis.open]
    counts = Counter(outlook_of(breach, night) for breach in night.breaches)
    consoles = {entity.id for entity in night.topology if entity.kind == EntityKind.CONSOLE}
    latency = night.latency
    return Summary(
        headline=_headline(night, len(ongoing), counts, say),
        sentences=(
            *_silences(night, len(ongoing), say),
            *_sentences(ongoing, night, say),
            *_other_sentences(night, say),
        ),
        incidents_open=len(ongoing),
        incidents_over=len(night.diagnoses) - len(ongoing),
        suppressed=len(night.suppressed),
        breaches=len(night.breaches),
        exceeded=counts["exceeded"],
        probable=counts["probable"],
        possible=counts["possible"],
        later=counts["later"],
        consoles=len(consoles),
        consoles_at_risk=len(_at_risk(night, ongoing) & consoles),
        consoles_measured=len(night.consoles),
        consoles_too_slow=sum(console.exceeded for console in night.consoles),
        slowest=night.consoles[0] if night.consoles else None,
        latency_ms=None if latency is None else float(np.nanmedian(latency.values)),
        latency_p90_ms=None if latency is None else float(np.nanmedian(latency.high)),
    )


def _headline(night: Night, ongoing: int, counts: Counter[Outlook], say: Messages) -> str:
    if night.freshness is not None and night.freshness.stale:
        return stale_headline(night.freshness, say)
    within = span(night.horizon_s, say.language)
    parts = []
    if ongoing:
        parts.append(say.plural("{number} incident is going on", "{number} incidents are going on", ongoing))
    parts += _silent_part(night, ongoing, say)
    if counts["exceeded"]:
        parts.append(say.plural("{number} limit is exceeded", "{number} limits are exceeded", counts["exceeded"]))
    if counts["probable"]:
        one, many = (
            "{number} limit will probably be crossed within {within}",
            "{number} limits will probably be crossed within {within}",
        )
        parts.append(say.plural(one, many, counts["probable"], within=within))
    if counts["possible"] and counts["probable"]:
        parts.append(say("{number} more may be", number=counts["possible"]))
    elif counts["possible"]:
        one, many = "{number} limit may be crossed within {within}", "{number} limits may be crossed within {within}"
        parts.append(say.plural(one, many, counts["possible"], within=within))
    if counts["later"]:
        one, many = (
            "{number} limit may be crossed in the weeks after",
            "{number} limits may be crossed in the weeks after",
        )
        parts.append(say.plural(one, many, counts["later"]))
    if not parts:
        return say("Nothing is going on, and no limit will probably be crossed within {within}.", within=within)
    return say(", ").join(parts) + say(".")


def _silent_part(night: Night, ongoing: int, say: Messages) -> list[str]:
    """What of the silences the headline says: entities, where no incident of theirs is told already; else metrics."""
    if night.freshness is None:
        return []
    if night.freshness.share >= HALF:
        return [say("{share} of the fleet fell silent within an hour", share=percent(night.freshness.share))]
    reported = {entity for diagnosis in night.diagnoses if diagnosis.open for entity in diagnosis.entities}
    unexpected = [silence for silence in night.freshness.unexpected if silence.entity not in reported]
    number = sum(1 + len(silence.below) for silence in unexpected if silence.whole)
    if number:
        return [say.plural("{number} entity has fallen silent", "{number} entities have fallen silent", number)]
    if unexpected and not ongoing:
        one, many = "{number} entity is measured in part only", "{number} entities are measured in part only"
        return [say.plural(one, many, len(unexpected))]
    return []


def _silences(night: Night, ongoing: int, say: Messages) -> list[str]:
    return [] if night.freshness is None else silence_sentences(night.freshness, ongoing, say)


def _sentences(ongoing: Sequence[Diagnosis], night: Night, say: Messages) -> list[str]:
    """Who hurts now, who will, and what is beyond its limit."""
    coming = [breach for breach in night.breaches if not breach.exceeded and chance_is_told(breach, night)]
    exceeded = [breach for breach in night.breaches if breach.exceeded]
    return [
        *_slow_consoles(night.consoles, say),
        *(_about_incident(diagnosis, night, say) for diagnosis in ongoing[:FEW]),
        *(_about_breach(breach, night, say) for breach in coming[:FEW]),
        *_about_exceeded(exceeded, night, say),
    ]


def _slow_consoles(consoles: Sequence[ConsoleLevel], say: Messages) -> list[str]:
    """Which console is slowest now, where any is beyond its limit; ``consoles`` are slowest first."""
    slow = [console for console in consoles if console.exceeded]
    if not slow:
        return []
    worst = slow[0]
    limit = "" if worst.limit is None else say(" (limit {limit})", limit=figure(worst.limit, "ms"))
    of = say.plural("{number} console", "{number} consoles", len(consoles))
    one = "{number} of {consoles} is too slow now, the slowest {name} with {level}{limit}."
    many = "{number} of {consoles} are too slow now, the slowest {name} with {level}{limit}."
    name, level = worst.series.entity, figure(worst.now, "ms")
    return [say.plural(one, many, len(slow), consoles=of, name=name, level=level, limit=limit)]


def _about_incident(diagnosis: Diagnosis, night: Night, say: Messages) -> str:
    top, since = diagnosis.top, clock(diagnosis.start, say.language)
    if top.id == UNKNOWN:
        mover = first_mover(episodes_of(diagnosis, night), diagnosis)
        entity = diagnosis.entities[0] if mover is None else mover.series.entity
        text = "{entity} behaves abnormally since {since} UTC; nothing known explains it."
        return say(text, entity=entity, since=since)
    text = "{title} at {entity} since {since} UTC ({sure} sure)."
    return say(text, title=say(top.title), entity=top.entity, since=since, sure=percent(top.probability))


def _about_breach(breach: Breach, night: Night, say: Messages) -> str:
    metric = night.metrics[breach.series.metric]
    dates = [clock(time, say.language) for time in (breach.earliest, breach.latest) if time is not None]
    when = ""
    if len(set(dates)) == 2:
        when = say(" between {first} and {last} UTC", first=dates[0], last=dates[1])
    elif dates:
        when = say(" from {first} UTC on", first=dates[0])
    driven = ""
    if breach.drivers:
        driver = breach.drivers[0]
        driven = say(
            ", driven by {metric} of {entity} ({added}, {share} of the rise)",
            metric=say(night.metrics[driver.metric].label),
            entity=driver.entity,
            added=figure(driver.added, metric.unit),
            share=percent(driver.share),
        )
    return say(
        "{metric} of {entity} crosses {limit} with {sure} probability{when}{driven}.",
        metric=say(metric.label),
        entity=breach.series.entity,
        limit=f"{breach.limit:g} {metric.unit}".rstrip(),
        sure=percent(breach.probability),
        when=when,
        driven=driven,
    )


def _about_exceeded(exceeded: Sequence[Breach], night: Night, say: Messages) -> list[str]:
    """One sentence about what is beyond its limit now, the longest first."""
    if not exceeded:
        return []
    longest = max(exceeded, key=lambda breach: breach.duration_s)
    metric, more = night.metrics[longest.series.metric], len(exceeded) - 1
    rest = say.plural("; one more is", "; {number} more are", more) if more else ""
    return [
        say(
            "{metric} of {entity} is beyond {limit} now, and probably for {span} of the next {horizon}{rest}.",
            metric=say(metric.label),
            entity=longest.series.entity,
            limit=f"{longest.limit:g} {metric.unit}".rstrip(),
            span=span(longest.duration_s, say.language),
            horizon=span(longest.horizon_s, say.language),
            rest=rest,
        )
    ]


def _other_sentences(night: Night, say: Messages) -> list[str]:
    sentences = []
    if night.suppressed:
        one, many = (
            "{number} episode is not alarmed, for stated reasons.",
            "{number} episodes are not alarmed, for stated reasons.",
        )
        sentences.append(say.plural(one, many, len(night.suppressed)))
    sentences += _young(night, say)
    if night.quality.silent:
        one, many = "{number} entity sent no data in the window.", "{number} entities sent no data in the window."
        sentences.append(say.plural(one, many, len(night.quality.silent)))
    return sentences


def _young(night: Night, say: Messages) -> list[str]:
    """Until when new entities are judged by limits only, where nothing else says what waits."""
    young = night.quality.judged_from
    if not young or night.quality.waiting:
        return []
    return [
        say.plural(
            "{number} entity is too new to be judged by anything but limits until {time} UTC.",
            "{number} entities are too new to be judged by anything but limits until {time} UTC.",
            len(young),
            time=clock(max(young.values())),
        )
    ]


def _at_risk(night: Night, ongoing: Sequence[Diagnosis]) -> set[str]:
    """Everything that is part of an open incident, or at or below an entity that will cross a limit."""
    at_risk: set[str] = set()
    entity_of = {episode.id: episode.entity for episode in night.episodes}
    for diagnosis in ongoing:
        for entity in (*(entity_of[name] for name in diagnosis.episodes), diagnosis.top.entity):
            at_risk |= {entity, *night.topology.descendants(entity)}
    for breach in night.breaches:
        entity = breach.series.entity
        beside = night.topology[entity].kind in BESIDE_ITS_HOST
        at_risk |= {entity, *night.topology.descendants(night.topology.root(entity) if beside else entity)}
    return at_risk
