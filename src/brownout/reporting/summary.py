"""The report in a few figures and sentences."""

from collections.abc import Sequence

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.findings import UNKNOWN, Diagnosis
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night
from brownout.reporting import schema
from brownout.reporting.episode_views import first_of
from brownout.reporting.numbers import clock, iso, known, percent, span

__all__ = ["summary_of"]

FEW = 3
EVEN = 0.5
"""Chance from which something will probably happen."""


def summary_of(night: Night) -> schema.Summary:
    """Headline, the next few sentences, and the figures of the tiles."""
    ongoing = [diagnosis for diagnosis in night.diagnoses if diagnosis.open]
    consoles = [entity.id for entity in night.topology if entity.kind == EntityKind.CONSOLE]
    latency = night.latency
    coming = [breach for breach in night.breaches if not breach.exceeded]
    exceeded = len(night.breaches) - len(coming)
    return schema.Summary(
        headline=_headline(len(ongoing), exceeded, coming, night.horizon_s),
        sentences=[_about(diagnosis, night) for diagnosis in ongoing[:FEW]]
        + [_forecast(breach, night) for breach in coming[:FEW]]
        + _already([breach for breach in night.breaches if breach.exceeded], night)
        + _otherwise(night),
        incidents_open=len(ongoing),
        incidents_over=len(night.diagnoses) - len(ongoing),
        suppressed=len(night.suppressed),
        breaches=len(night.breaches),
        exceeded=exceeded,
        consoles_at_risk=len(_at_risk(night, ongoing) & set(consoles)),
        consoles=len(consoles),
        latency_ms=None if latency is None else known(float(np.nanmedian(latency.values))),
        latency_p90_ms=None if latency is None else known(float(np.nanmedian(latency.high))),
    )


def _headline(ongoing: int, exceeded: int, coming: Sequence[Breach], horizon_s: float) -> str:
    within = span(horizon_s)
    chances = [breach.probability for breach in coming if breach.horizon_s <= horizon_s]
    later = len(coming) - len(chances)
    probable = sum(chance >= EVEN for chance in chances)
    possible = len(chances) - probable
    if not ongoing and not exceeded and not coming:
        return f"Nothing is going on, and no limit will probably be crossed within {within}."
    parts = []
    if ongoing:
        parts.append(f"{_count(ongoing, 'incident')} {'is' if ongoing == 1 else 'are'} going on")
    if exceeded:
        parts.append(f"{_count(exceeded, 'limit')} {'is' if exceeded == 1 else 'are'} exceeded")
    if probable:
        parts.append(f"{_count(probable, 'limit')} will probably be crossed within {within}")
    if possible:
        may = f"{_count(possible, 'limit')} may be crossed within {within}"
        parts.append(f"{possible} more may be" if probable else may)
    if later:
        parts.append(f"{_count(later, 'limit')} may be crossed in the weeks after")
    return f"{', '.join(parts)}."


def _count(number: int, thing: str) -> str:
    many = thing.removesuffix("y") + "ies" if thing.endswith("y") else f"{thing}s"
    return f"{number} {thing if number == 1 else many}"


def _about(diagnosis: Diagnosis, night: Night) -> str:
    top = diagnosis.top
    since = f"since {clock(iso(diagnosis.start))} UTC"
    if top.id == UNKNOWN:
        first = first_of(episode for episode in night.episodes if episode.id in diagnosis.episodes)
        entity = diagnosis.entities[0] if first is None else first.series.entity
        return f"{entity} behaves abnormally {since}; nothing known explains it."
    return f"{top.title} at {top.entity} {since} ({percent(top.probability)} sure)."


def _forecast(breach: Breach, night: Night) -> str:
    metric = night.metrics[breach.series.metric]
    line = f"{metric.label} of {breach.series.entity} crosses {breach.limit:g} {metric.unit}".rstrip()
    dates = [clock(iso(time)) for time in (breach.earliest, breach.latest) if time is not None]
    when = f" between {dates[0]} and {dates[1]} UTC" if len(set(dates)) == 2 else f" from {dates[0]} UTC on"
    return f"{line} with {percent(breach.probability)} probability{when if dates else ''}{_driven(breach, night)}."


def _driven(breach: Breach, night: Night) -> str:
    """What drives it most, where that is known."""
    if not breach.drivers:
        return ""
    first = breach.drivers[0]
    return f", driven by {night.metrics[first.metric].label} of {first.entity} ({percent(first.share)} of the rise)"


def _already(exceeded: Sequence[Breach], night: Night) -> list[str]:
    """One sentence about what is beyond its limit now, the longest first."""
    if not exceeded:
        return []
    longest = max(exceeded, key=lambda breach: breach.duration_s)
    metric = night.metrics[longest.series.metric]
    line = f"{metric.label} of {longest.series.entity} is beyond {longest.limit:g} {metric.unit}".rstrip()
    more = len(exceeded) - 1
    rest = "" if not more else "; one more is" if more == 1 else f"; {more} more are"
    return [f"{line} now, and probably for {span(longest.duration_s)} of the next {span(longest.horizon_s)}{rest}."]


def _otherwise(night: Night) -> list[str]:
    sentences = []
    if night.suppressed:
        are = "is" if len(night.suppressed) == 1 else "are"
        sentences.append(f"{_count(len(night.suppressed), 'episode')} {are} not alarmed, for stated reasons.")
    if night.quality.silent:
        sentences.append(f"{_count(len(night.quality.silent), 'entity')} sent no data in the window.")
    return sentences


def _at_risk(night: Night, ongoing: list[Diagnosis]) -> set[str]:
    """Everything that is part of an open incident, or at or below an entity that will cross a limit."""
    found: set[str] = set()
    own = {episode.id: episode.entity for episode in night.episodes}
    for diagnosis in ongoing:
        for entity in (*(own[name] for name in diagnosis.episodes), diagnosis.top.entity):
            found |= {entity, *night.topology.descendants(entity)}
    for breach in night.breaches:
        found |= {breach.series.entity, *_sufferers(night, breach.series.entity)}
    return found


def _sufferers(night: Night, entity: str) -> tuple[str, ...]:
    """What is below an entity; for a disk, a path, an interface or a link everything on its host."""
    if night.topology[entity].kind in {EntityKind.DISK, EntityKind.PATH, EntityKind.INTERFACE, EntityKind.LINK}:
        return night.topology.descendants(night.topology.root(entity))
    return night.topology.descendants(entity)
