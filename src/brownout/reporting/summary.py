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
from brownout.reporting.fleet_overview import HALF, silence_sentences, stale_headline
from brownout.reporting.incident_order import episodes_of, first_mover
from brownout.reporting.numbers import clock, figure, percent, span

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
        Limits that will be crossed within the horizon with at least an even chance.
    possible
        Limits that may be crossed within the horizon: the chance is below even.
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


def outlook_of(breach: Breach, horizon_s: float) -> Outlook:
    """How sure a breach is and when it comes, in one word; ``horizon_s`` is that of the night."""
    if breach.exceeded:
        return "exceeded"
    if breach.horizon_s > horizon_s:
        return "later"
    return "probable" if breach.probability >= EVEN_CHANCE else "possible"


def summary_of(night: Night) -> Summary:
    """Headline, the next few sentences, and the figures of the first screen."""
    ongoing = [diagnosis for diagnosis in night.diagnoses if diagnosis.open]
    counts = Counter(outlook_of(breach, night.horizon_s) for breach in night.breaches)
    consoles = {entity.id for entity in night.topology if entity.kind == EntityKind.CONSOLE}
    latency = night.latency
    return Summary(
        headline=_headline(night, len(ongoing), counts),
        sentences=(*_silences(night, len(ongoing)), *_sentences(ongoing, night), *_other_sentences(night)),
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


def _headline(night: Night, ongoing: int, counts: Counter[Outlook]) -> str:
    if night.freshness is not None and night.freshness.stale:
        return stale_headline(night.freshness)
    within = span(night.horizon_s)
    parts = []
    if ongoing:
        parts.append(f"{_count(ongoing, 'incident')} {_are(ongoing)} going on")
    parts += _silent_part(night, ongoing)
    if counts["exceeded"]:
        parts.append(f"{_count(counts['exceeded'], 'limit')} {_are(counts['exceeded'])} exceeded")
    if counts["probable"]:
        parts.append(f"{_count(counts['probable'], 'limit')} will probably be crossed within {within}")
    if counts["possible"]:
        possible = f"{_count(counts['possible'], 'limit')} may be crossed within {within}"
        parts.append(f"{counts['possible']} more may be" if counts["probable"] else possible)
    if counts["later"]:
        parts.append(f"{_count(counts['later'], 'limit')} may be crossed in the weeks after")
    if not parts:
        return f"Nothing is going on, and no limit will probably be crossed within {within}."
    return f"{', '.join(parts)}."


def _silent_part(night: Night, ongoing: int) -> list[str]:
    """What of the silences the headline says: entities, where no incident of theirs is told already; else metrics."""
    if night.freshness is None:
        return []
    if night.freshness.share >= HALF:
        return [f"{percent(night.freshness.share)} of the fleet fell silent within an hour"]
    told = {entity for diagnosis in night.diagnoses if diagnosis.open for entity in diagnosis.entities}
    news = [silence for silence in night.freshness.news if silence.entity not in told]
    number = sum(1 + len(silence.below) for silence in news if silence.whole)
    if number:
        return [f"{_count(number, 'entity')} {'has' if number == 1 else 'have'} fallen silent"]
    if news and not ongoing:
        return [f"{_count(len(news), 'entity')} {'is' if len(news) == 1 else 'are'} measured in part only"]
    return []


def _silences(night: Night, ongoing: int) -> list[str]:
    return [] if night.freshness is None else silence_sentences(night.freshness, ongoing)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _count(number: int, thing: str) -> str:
    several = thing.removesuffix("y") + "ies" if thing.endswith("y") else f"{thing}s"
    return f"{number} {thing if number == 1 else several}"


def _sentences(ongoing: Sequence[Diagnosis], night: Night) -> list[str]:
    """Who hurts now, who will, and what is beyond its limit."""
    coming = [breach for breach in night.breaches if not breach.exceeded]
    exceeded = [breach for breach in night.breaches if breach.exceeded]
    return [
        *_slow_consoles(night.consoles),
        *(_about_incident(diagnosis, night) for diagnosis in ongoing[:FEW]),
        *(_about_breach(breach, night) for breach in coming[:FEW]),
        *_about_exceeded(exceeded, night),
    ]


def _slow_consoles(consoles: Sequence[ConsoleLevel]) -> list[str]:
    """Which console is slowest now, where any is beyond its limit; ``consoles`` are slowest first."""
    slow = [console for console in consoles if console.exceeded]
    if not slow:
        return []
    worst = slow[0]
    limit = "" if worst.limit is None else f" (limit {figure(worst.limit, 'ms')})"
    line = f"{len(slow)} of {_count(len(consoles), 'console')} {_are(len(slow))} too slow now"
    return [f"{line}, the slowest {worst.series.entity} with {figure(worst.now, 'ms')}{limit}."]


def _about_incident(diagnosis: Diagnosis, night: Night) -> str:
    top = diagnosis.top
    since = f"since {clock(diagnosis.start)} UTC"
    if top.id == UNKNOWN:
        mover = first_mover(episodes_of(diagnosis, night))
        entity = diagnosis.entities[0] if mover is None else mover.series.entity
        return f"{entity} behaves abnormally {since}; nothing known explains it."
    return f"{top.title} at {top.entity} {since} ({percent(top.probability)} sure)."


def _about_breach(breach: Breach, night: Night) -> str:
    metric = night.metrics[breach.series.metric]
    line = f"{metric.label} of {breach.series.entity} crosses {breach.limit:g} {metric.unit}".rstrip()
    dates = [clock(time) for time in (breach.earliest, breach.latest) if time is not None]
    when = ""
    if dates:
        when = f" between {dates[0]} and {dates[1]} UTC" if len(set(dates)) == 2 else f" from {dates[0]} UTC on"
    driven = ""
    if breach.drivers:
        driver = breach.drivers[0]
        share = f"({percent(driver.share)} of the rise)"
        driven = f", driven by {night.metrics[driver.metric].label} of {driver.entity} {share}"
    return f"{line} with {percent(breach.probability)} probability{when}{driven}."


def _about_exceeded(exceeded: Sequence[Breach], night: Night) -> list[str]:
    """One sentence about what is beyond its limit now, the longest first."""
    if not exceeded:
        return []
    longest = max(exceeded, key=lambda breach: breach.duration_s)
    metric = night.metrics[longest.series.metric]
    line = f"{metric.label} of {longest.series.entity} is beyond {longest.limit:g} {metric.unit}".rstrip()
    more = len(exceeded) - 1
    rest = "" if not more else "; one more is" if more == 1 else f"; {more} more are"
    return [f"{line} now, and probably for {span(longest.duration_s)} of the next {span(longest.horizon_s)}{rest}."]


def _other_sentences(night: Night) -> list[str]:
    sentences = []
    if night.suppressed:
        number = len(night.suppressed)
        sentences.append(f"{_count(number, 'episode')} {_are(number)} not alarmed, for stated reasons.")
    sentences += _young(night)
    if night.quality.silent:
        sentences.append(f"{_count(len(night.quality.silent), 'entity')} sent no data in the window.")
    return sentences


def _young(night: Night) -> list[str]:
    """Until when new entities are judged by limits only."""
    young = night.quality.judged_from
    if not young:
        return []
    what = f"{_count(len(young), 'entity')} {_are(len(young))} too new to be judged by anything but limits"
    return [f"{what} until {clock(max(young.values()))} UTC."]


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
