"""Expected false alarms: what nothing explains, and has no evidence or is seen often, is kept but not alarmed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from brownout.detection.alert_state import AlertState
from brownout.domain.findings import UNKNOWN, Episode, Shape, SuppressedEpisode, SuppressionReason
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis

__all__ = ["AlarmedIncidents", "expected_per_day", "suppress_expected"]

TOGETHER = 3
"""Entities of one host that deviate at one time: so many are not expected, however little each of them does."""
NO_EVIDENCE = "no cause is known, no metric is out of its usual range by itself, and no rule is raised"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmedIncidents:
    """Diagnoses without what is expected by chance, and the episodes of that."""

    batches: tuple[BatchDiagnosis, ...]
    suppressed: tuple[SuppressedEpisode, ...]


def expected_per_day(context: NightContext, episodes: Sequence[Episode]) -> dict[str, float]:
    """How often a day any entity of the fleet is as severe as each episode, by its id.

    From the tail of the days that the detector has learned from, as if all entities were of the episode's kind.
    """
    fleet, topology = len(context.store.spans()), context.topology
    return {e.id: fleet * context.detector.per_day(topology[e.entity].kind, e.severity) for e in episodes}


def suppress_expected(
    batches: Sequence[BatchDiagnosis],
    episodes: Sequence[Episode],
    per_day: Mapping[str, float],
    *,
    unknown_a_day: float,
    state: AlertState,
) -> AlarmedIncidents:
    """Leave out incidents without a cause: those without evidence, and those that the fleet shows often.

    Without evidence nobody can act: no metric is out of its usual range by its own spread, and no rule is raised. Often
    is more than ``unknown_a_day`` times a day; an incident counts by its rarest episode. Kept are incidents with a
    cause, those of several entities, with a raised rule or a metric on its way to its limit, what was alarmed the night
    before, what people called true, and what moved most at an entity where the same is told with a cause.
    """
    known = {episode.id: episode for episode in episodes}
    caused = {
        (known[name].entity, known[name].lead)
        for batch in batches
        for diagnosis in batch.diagnoses
        if diagnosis.top.id != UNKNOWN
        for name in diagnosis.episodes
    }
    suppressed: list[SuppressedEpisode] = []
    kept = []
    for batch in batches:
        expected: set[str] = set()
        for diagnosis in batch.diagnoses:
            members = [known[name] for name in diagnosis.episodes]
            if diagnosis.top.id != UNKNOWN or any(state.vouched(episode) for episode in members):
                continue
            rarest = min(per_day[episode.id] for episode in members)
            if not any(episode.movers or episode.rules for episode in members):
                why, reason = SuppressionReason.EVIDENCE, NO_EVIDENCE
            elif rarest > unknown_a_day and not _is_alarmed(members, state, caused):
                why = SuppressionReason.CHANCE
                reason = f"no cause is known, and something as odd is seen {rarest:.0f} times a day in this fleet"
            else:
                continue
            suppressed += [SuppressedEpisode(episode=e, why=why, reason=reason, because=e.lead) for e in members]
            expected.add(diagnosis.id)
        kept.append(_without(batch, expected))
    return AlarmedIncidents(batches=tuple(kept), suppressed=tuple(suppressed))


def _is_alarmed(episodes: Sequence[Episode], state: AlertState, caused: Collection[tuple[str, str]]) -> bool:
    """Whether an incident without a cause is alarmed however often the fleet shows its like."""
    return len({episode.entity for episode in episodes}) >= TOGETHER or any(
        episode.rules
        or episode.shape is Shape.RAMP
        or (episode.lead and (episode.entity, episode.lead) in caused)
        or episode.id in state.alarmed
        for episode in episodes
    )


def _without(batch: BatchDiagnosis, left_out: set[str]) -> BatchDiagnosis:
    return replace(
        batch,
        diagnoses=[d for d in batch.diagnoses if d.id not in left_out],
        actions=[action for action in batch.actions if action.about not in left_out],
        charts={name: charts for name, charts in batch.charts.items() if name not in left_out},
    )
