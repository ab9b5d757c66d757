"""Expected false alarms: what nothing explains, and has no evidence or is seen often, is kept but not alarmed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.detection.episodes.threshold_rules import RuleSeverity
from brownout.diagnosis.evidence.symptoms import resource_of
from brownout.domain.entities import EntityKind
from brownout.domain.findings import UNKNOWN, Cause, Episode, Shape, SuppressedEpisode, SuppressionReason
from brownout.domain.metrics import Metric, Worse
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis, without_diagnoses

__all__ = ["AlarmedIncidents", "Expectation", "expected_by_chance", "suppress_expected"]

TOGETHER = 3
"""Guests and consoles of one host that deviate at one time: so many are not expected, however little each one does."""
PEOPLES = (EntityKind.VM, EntityKind.CONSOLE)
NEAR = np.timedelta64(4 * 3_600_000, "ms")
"""Longest pause between movements that belong together."""
SURE = 0.5
"""A first cause that is less likely than all others together is as good as none."""
NO_EVIDENCE = "no cause is known, no metric is worse than its usual range by itself, and no rule is raised"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmedIncidents:
    """Diagnoses without what is expected by chance, and the episodes of that."""

    batches: tuple[BatchDiagnosis, ...]
    suppressed: tuple[SuppressedEpisode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of a healthy fleet.

    Attributes
    ----------
    per_day
        How often a day any entity of the fleet is as severe as each episode by chance, by the episode's id.
    allowed
        So often a day an incident without a cause may be alarmed.
    telling
        Ids of the episodes that nobody would call chance.
    suffering
        Ids of the episodes of guests and consoles, which people work with.
    harmful
        Ids of the episodes in which something got worse, or a rule was raised.
    """

    per_day: Mapping[str, float]
    allowed: float
    telling: frozenset[str] = frozenset()
    suffering: frozenset[str] = frozenset()
    harmful: frozenset[str] = frozenset()


def expected_by_chance(context: NightContext, episodes: Sequence[Episode]) -> Expectation:
    """What the normal periods that the detector has learned from let expect, as if all entities were of one kind.

    Telling is an episode with a critical rule raised on a metric that moved, or that leads a metric to its limit.
    """
    topology, spans = context.topology, context.store.spans()
    fleet, guests = len(spans), sum(entity.kind == EntityKind.VM for entity in topology)
    critical = [rule for rule in context.rules if rule.severity is RuleSeverity.CRIT]
    about = {rule.id: {test.metric for test in rule.tests} for rule in critical}
    return Expectation(
        per_day={e.id: fleet * context.detector.per_day(topology[e.entity].kind, e.severity) for e in episodes},
        allowed=context.settings.detect.unknown_a_guest_day * (guests or fleet),
        telling=frozenset(e.id for e in episodes if _tells(e, about, context.metrics)),
        harmful=frozenset(e.id for e in episodes if e.rules or _harms(e, context)),
        suffering=frozenset(e.id for e in episodes if topology[e.entity].kind in PEOPLES),
    )


def _tells(episode: Episode, about: Mapping[str, Collection[str]], metrics: Mapping[str, Metric]) -> bool:
    """Whether a rule is raised on a metric that moved, or what moved most goes to its limit, in whatever unit."""
    moved = {mover.series.metric for mover in episode.movers}
    if any(moved & set(about.get(rule, ())) for rule in episode.rules):
        return True
    lead = metrics.get(episode.lead)
    if episode.shape is not Shape.RAMP or lead is None:
        return False
    ways = [(metrics[m.series.metric], m.deviation) for m in episode.movers if m.series.metric in metrics]
    return any(
        metric.is_limited and resource_of(metric) == resource_of(lead) and _is_worse(metric, deviation)
        for metric, deviation in ways
    )


def suppress_expected(
    batches: Sequence[BatchDiagnosis],
    episodes: Sequence[Episode],
    *,
    expected: Expectation,
    state: AlertState,
) -> AlarmedIncidents:
    """Leave out incidents without a cause: those without evidence, and those that the fleet shows often.

    Without evidence nobody can act: no metric is worse than its usual range by its own spread, and no rule is raised.
    Often is more than ``expected.allowed`` times a day; an incident counts by its rarest episode. Kept are incidents
    with a cause, those of several guests, telling ones, what was alarmed the night before, what people called true, and
    what moved most at an entity where the same is told with a cause at that time.
    """
    known = {episode.id: episode for episode in episodes}
    caused = [
        known[name]
        for batch in batches
        for diagnosis in batch.diagnoses
        if _is_known(diagnosis.top)
        for name in diagnosis.episodes
    ]
    suppressed: list[SuppressedEpisode] = []
    kept = []
    for batch in batches:
        chance: set[str] = set()
        for diagnosis in batch.diagnoses:
            members = [known[name] for name in diagnosis.episodes]
            if _is_known(diagnosis.top) or any(state.vouched(episode) for episode in members):
                continue
            rarest = min(expected.per_day[episode.id] for episode in members)
            if not any(episode.id in expected.harmful for episode in members):
                why, reason = SuppressionReason.EVIDENCE, NO_EVIDENCE
            elif rarest > expected.allowed and not _is_alarmed(members, expected, state, caused):
                why = SuppressionReason.CHANCE
                often = f"{rarest:.0f}" if rarest >= 1 else f"{rarest:.2f}"
                reason = f"no cause is known, and something as odd is seen {often} times a day in this fleet"
            else:
                continue
            suppressed += [SuppressedEpisode(episode=e, why=why, reason=reason, because=e.lead) for e in members]
            chance.add(diagnosis.id)
        kept.append(without_diagnoses(batch, chance))
    return AlarmedIncidents(batches=tuple(kept), suppressed=tuple(suppressed))


def _harms(episode: Episode, context: NightContext) -> bool:
    """Whether a metric went to its worse side by more than its usual spread: more load alone harms nobody."""
    loads = {symptom.metric for symptom in context.diagnoser.knowledge.symptoms.values() if symptom.load}
    moved = ((context.metrics.get(mover.series.metric), mover) for mover in episode.movers)
    return any(
        metric is not None and metric.name not in loads and _is_worse(metric, mover.deviation)
        for metric, mover in moved
    )


def _is_worse(metric: Metric, deviation: float) -> bool:
    """Whether a deviation is for the worse; of a metric known by its role only, nobody can say that it is not."""
    if metric.worse is Worse.NONE:
        return not metric.entity_kinds
    return (deviation > 0) is (metric.worse is Worse.UP)


def _same_movement(episode: Episode, other: Episode) -> bool:
    """Whether the same metric of the same entity moved most in both, with no long pause between them."""
    near = bool(episode.start <= other.end + NEAR and other.start <= episode.end + NEAR)
    return near and episode.lead != "" and (episode.entity, episode.lead) == (other.entity, other.lead)


def _is_known(cause: Cause) -> bool:
    """Whether a cause is a fault, and more likely than all others together."""
    return cause.id != UNKNOWN and not cause.artefact and cause.probability >= SURE


def _is_alarmed(
    episodes: Sequence[Episode], expected: Expectation, state: AlertState, caused: Sequence[Episode]
) -> bool:
    """Whether an incident without a cause is alarmed however often the fleet shows its like.

    Where nothing got worse, or one metric did and the entity as a whole is as usual, a cause must say that it matters.
    """
    odd = [episode for episode in episodes if episode.severity >= 1 and episode.id in expected.harmful]
    return len({episode.entity for episode in odd if episode.id in expected.suffering}) >= TOGETHER or any(
        episode.id in expected.telling
        or any(_same_movement(episode, other) for other in caused)
        or episode.id in state.alarmed
        for episode in odd
    )
