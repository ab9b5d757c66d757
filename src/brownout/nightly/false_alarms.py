"""Expected false alarms: what nothing explains, and has no evidence or is seen often, is kept but not alarmed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.detection.episodes.rule_precedents import RulePrecedents
from brownout.detection.episodes.threshold_rules import RuleSeverity
from brownout.diagnosis.evidence.symptoms import resource_of
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import EntityKind
from brownout.domain.findings import (
    UNKNOWN,
    Cause,
    Diagnosis,
    Episode,
    EvidenceRole,
    Mover,
    Shape,
    SuppressedEpisode,
    SuppressionReason,
)
from brownout.domain.metrics import Family, Metric, Worse
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis, without_diagnoses

__all__ = ["AlarmedIncidents", "Expectation", "expected_by_chance", "suppress_expected"]

TOGETHER = 3
"""So many guests and consoles of one host that deviate at one time are no coincidence, however little each does."""
SELDOM = 0.1
"""A rule is seldom raised so long where that is seen at most so often, as a share of what may be alarmed."""
HALFWAY = 0.5
"""Share of the way to its limit from which a ramp that is over was on its way there."""
NEAR = np.timedelta64(4 * 3_600_000, "ms")
"""Longest pause between movements that belong together."""
SURE = 0.5
"""A first cause that is less likely than all others together is as good as none."""
LASTING = np.timedelta64(1_800_000, "ms")
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
    filling
        Ids of the episodes that go on and in which a store is on its way to its limit, however severe they are by now.
    suffering
        Ids of the episodes that people notice.
    harmful
        Ids of the episodes in which something got worse, or a rule was raised.
    uses
        Ids of the causes that rest on the use of a resource alone, as a busy guest: healthy ones are busy at times.
    parts
        By incident, the same of what is left of its episodes after other incidents have explained the rest of them.
    """

    per_day: Mapping[str, float]
    allowed: float
    telling: frozenset[str] = frozenset()
    filling: frozenset[str] = frozenset()
    suffering: frozenset[str] = frozenset()
    harmful: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    parts: Mapping[str, "Expectation"] = field(default_factory=dict)

    def of(self, diagnosis: Diagnosis) -> "Expectation":
        """What is expected of the episodes of an incident, as far as they are its own."""
        own = self.parts.get(diagnosis.id)
        return self if own is None or not own.per_day.keys() >= set(diagnosis.episodes) else own


def expected_by_chance(
    context: NightContext,
    episodes: Sequence[Episode],
    precedents: RulePrecedents | None = None,
    parts: Mapping[str, Sequence[Episode]] | None = None,
) -> Expectation:
    """What the normal periods that the detector has learned from let expect, as if all entities were of one kind.

    ``parts`` are the episodes of each incident without what other incidents explain of them.
    """
    topology, spans = context.topology, context.store.spans()
    fleet, guests = len(spans), sum(entity.kind == EntityKind.VM for entity in topology)
    allowed = context.settings.detect.unknown_a_guest_day * (guests or fleet)
    signs = _Signs(
        rules={r.id: {test.metric for test in r.tests} for r in context.rules if r.severity is RuleSeverity.CRIT},
        precedents=precedents or RulePrecedents(),
        seldom=SELDOM * allowed,
        loads={symptom.metric for symptom in context.diagnoser.knowledge.symptoms.values() if symptom.load},
        metrics=context.metrics,
    )
    uses = _causes_by_use(context.diagnoser.knowledge)

    def expected_of(members: Sequence[Episode]) -> Expectation:
        return Expectation(
            per_day={e.id: fleet * context.detector.per_day(topology[e.entity].kind, e.severity) for e in members},
            allowed=allowed,
            telling=frozenset(e.id for e in members if signs.tells(e)),
            filling=frozenset(e.id for e in members if signs.fills(e)),
            harmful=frozenset(e.id for e in members if e.rules or signs.harms(e)),
            suffering=frozenset(e.id for e in members if signs.suffers(e, topology[e.entity].kind)),
            uses=uses,
        )

    raised = {episode.id: episode.rules for episode in episodes}
    tested = {rule.id: {test.metric for test in rule.tests} for rule in context.rules}
    own = {
        name: [replace(part, rules=_rules_of(part, raised.get(part.id, ()), tested)) for part in members]
        for name, members in (parts or {}).items()
    }
    return replace(expected_of(episodes), parts={name: expected_of(members) for name, members in own.items()})


def _rules_of(part: Episode, raised: Sequence[str], tested: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Of the rules raised in an episode those that a part of it still has, or that test what moved in the part."""
    moved = {mover.series.metric for mover in part.movers}
    return tuple(rule for rule in raised if rule in part.rules or not moved.isdisjoint(tested.get(rule, ())))


def _causes_by_use(knowledge: Knowledge) -> frozenset[str]:
    """Causes of which all that must be seen is that a resource is in use."""
    necessary = {
        cause.id: [rule for rule in cause.evidence if rule.role is EvidenceRole.NECESSARY and not rule.if_measured]
        for cause in knowledge.causes.values()
        if not cause.artefact
    }
    return frozenset(
        name
        for name, rules in necessary.items()
        if rules and all(knowledge.symptoms[symptom].load for rule in rules for symptom, _ in rule.parts)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signs:
    """What in an episode says that it is no chance.

    ``rules`` are the metrics of each critical rule, ``loads`` metrics of resources in use: more of them harms nobody.
    """

    rules: Mapping[str, Collection[str]]
    precedents: RulePrecedents
    seldom: float
    loads: Collection[str]
    metrics: Mapping[str, Metric]

    def tells(self, episode: Episode) -> bool:
        """Whether a critical rule held unusually long on what moved, or the leading metric ramps to its limit."""
        moved = {mover.series.metric for mover in episode.movers}
        if self._is_seldom(episode, [rule for rule in episode.rules if moved & set(self.rules.get(rule, ()))]):
            return True
        lead = self.metrics.get(episode.lead)
        if episode.shape is not Shape.RAMP or lead is None:
            return False
        return any(
            resource_of(metric) == resource_of(lead) and (episode.open or _share_of_way(metric, mover) >= HALFWAY)
            for metric, mover in self._worse(episode)
            if metric.is_limited and not self._is_use(metric)
        )

    def fills(self, episode: Episode) -> bool:
        """Whether memory, space or a table has been on its way to its limit for half an hour, and still is."""
        if not episode.open or episode.end - episode.start < LASTING:
            return False
        return any(
            metric.is_limited and metric.fills_up and metric.name not in self.loads
            for metric, _ in self._worse(episode)
        )

    def suffers(self, episode: Episode, kind: str) -> bool:
        """Whether people notice: at consoles, and at guests where any rule is raised, for seldom so long.

        That all guests of a host wait a little for a CPU at one time is how a CPU is shared; that all consoles behind
        a path connect late once is one hiccup of that path.
        """
        if kind == EntityKind.CONSOLE and episode.end - episode.start < LASTING:
            moved = [self.metrics[m.series.metric] for m in episode.movers if m.series.metric in self.metrics]
            return not moved or any(metric.family is not Family.NETWORK for metric in moved)
        return kind == EntityKind.CONSOLE or (kind == EntityKind.VM and self._is_seldom(episode, episode.rules))

    def _is_seldom(self, episode: Episode, rules: Sequence[str]) -> bool:
        return any(self.precedents.per_day(episode.id, rule) <= self.seldom for rule in rules)

    def harms(self, episode: Episode) -> bool:
        """Whether a metric went to its worse side by more than its usual spread, other than load."""
        return any(metric.name not in self.loads for metric, _ in self._worse(episode))

    def _is_use(self, metric: Metric) -> bool:
        """Whether a metric follows what is asked at the time, so that a rise has no way to go on."""
        return metric.name in self.loads or metric.follows_demand

    def _worse(self, episode: Episode) -> Iterator[tuple[Metric, Mover]]:
        """Metrics that moved for the worse; of one that is known by its role only nobody can say that it did not."""
        for mover in episode.movers:
            metric = self.metrics.get(mover.series.metric)
            if metric is None or (metric.worse is Worse.NONE and metric.entity_kinds):
                continue
            if metric.worsens(mover.deviation):
                yield metric, mover


def _share_of_way(metric: Metric, mover: Mover) -> float:
    """How far a metric came from its usual level towards its limit: 0 not at all, 1 to the limit."""
    room = (metric.limit or 0.0) - mover.usual
    return (mover.peak - mover.usual) / room if room else 1.0


def suppress_expected(
    batches: Sequence[BatchDiagnosis],
    episodes: Sequence[Episode],
    *,
    expected: Expectation,
    state: AlertState,
) -> AlarmedIncidents:
    """Leave out incidents without a sure cause: those without evidence, and those that the fleet shows often.

    Without evidence nobody can act: no metric is worse than its usual range by its own spread, and no rule is raised.
    Often is more than ``expected.allowed`` times a day; an incident counts by its rarest episode. Kept are incidents
    with a cause, those of several guests, telling ones, what was alarmed the night before, what people called true, and
    what moved most at an entity where the same is told with a cause at that time.

    A cause that rests on the use of a resource alone has to be the surer, the more often the fleet shows its like.
    """
    known = {episode.id: episode for episode in episodes}
    caused = [
        known[name]
        for batch in batches
        for diagnosis in batch.diagnoses
        if _is_sure(diagnosis.top, [known[name] for name in diagnosis.episodes], expected.of(diagnosis))
        for name in diagnosis.episodes
    ]
    suppressed: list[SuppressedEpisode] = []
    remaining = []
    for batch in batches:
        chance: set[str] = set()
        for diagnosis in batch.diagnoses:
            members = [known[name] for name in diagnosis.episodes]
            own = expected.of(diagnosis)
            if _is_sure(diagnosis.top, members, own) or any(state.vouched(episode) for episode in members):
                continue
            rarest = min(own.per_day[episode.id] for episode in members)
            if not any(episode.id in own.harmful for episode in members):
                why, reason = SuppressionReason.EVIDENCE, NO_EVIDENCE
            elif rarest > own.allowed and not _is_alarmed(members, own, state, caused):
                why = SuppressionReason.CHANCE
                often = f"{rarest:.0f}" if rarest >= 1 else f"{rarest:.2f}"
                cause = "no cause is sure" if _is_known(diagnosis.top) else "no cause is known"
                reason = f"{cause}, and something as odd is seen {often} times a day in this fleet"
            else:
                continue
            suppressed += [SuppressedEpisode(episode=e, why=why, reason=reason, because=e.lead) for e in members]
            chance.add(diagnosis.id)
        remaining.append(without_diagnoses(batch, chance))
    return AlarmedIncidents(batches=tuple(remaining), suppressed=tuple(suppressed))


def _same_movement(episode: Episode, other: Episode) -> bool:
    """Whether the same metric of the same entity moved most in both, with no long pause between them."""
    near = bool(episode.start <= other.end + NEAR and other.start <= episode.end + NEAR)
    return near and episode.lead != "" and (episode.entity, episode.lead) == (other.entity, other.lead)


def _is_known(cause: Cause) -> bool:
    """Whether a cause is a fault, and more likely than all others together."""
    return cause.id != UNKNOWN and not cause.artefact and cause.probability >= SURE


def _is_sure(cause: Cause, episodes: Sequence[Episode], expected: Expectation) -> bool:
    """Whether a cause is known, and where it rests on use alone, surer than that it is chance."""
    if not _is_known(cause) or cause.id not in expected.uses:
        return _is_known(cause)
    if any(episode.id in expected.telling for episode in episodes):
        return True
    rarest = min(expected.per_day[episode.id] for episode in episodes)
    return cause.probability * expected.allowed >= (1 - cause.probability) * rarest


def _is_alarmed(
    episodes: Sequence[Episode], expected: Expectation, state: AlertState, caused: Sequence[Episode]
) -> bool:
    """Whether an incident without a cause is alarmed however often the fleet shows its like.

    Where nothing got worse, or one metric did and the entity as a whole is as usual, a cause must say that it matters.
    """
    odd = [episode for episode in episodes if episode.severity >= 1 and episode.id in expected.harmful]
    if any(episode.id in expected.filling for episode in episodes):
        return True
    return len({episode.entity for episode in odd if episode.id in expected.suffering}) >= TOGETHER or any(
        episode.id in expected.telling
        or any(_same_movement(episode, other) for other in caused)
        or episode.id in state.alarmed
        for episode in odd
    )
