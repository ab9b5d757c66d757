"""Chance: what nothing explains, and a fleet of this size shows often enough, is kept, but not alarmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from brownout.detection.alert_state import AlertState
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import UNKNOWN, Diagnosis, Episode, SuppressedEpisode, SuppressionReason
from brownout.domain.ports import SampleStore
from brownout.nightly.diagnose import Investigation
from brownout.settings import Settings

__all__ = ["Sorted", "expected_per_day", "suppress_expected"]

TOGETHER = 3
"""Entities of one host that deviate at one time: so many are no chance, however little each of them does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Investigations without what chance explains, and the episodes of that."""

    investigations: tuple[Investigation, ...]
    suppressed: tuple[SuppressedEpisode, ...]


def expected_per_day(
    store: SampleStore, found: Sequence[Episode], detector: IsolationForestDetector
) -> dict[str, float]:
    """How often a day any entity of the fleet is as severe as each episode, by its id.

    From the tail of the days that the detector has learned from, as if all entities were of the episode's kind.
    """
    fleet, topology = len(store.spans()), store.topology
    return {e.id: fleet * detector.per_day(topology[e.entity].kind, e.severity) for e in found}


def suppress_expected(
    found: Sequence[Investigation],
    episodes: Sequence[Episode],
    often: Mapping[str, float],
    settings: Settings,
    memory: AlertState | None = None,
) -> Sorted:
    """Leave out incidents without a cause that the fleet shows more than ``detect.unknown_a_day`` times a day.

    An incident counts by its rarest episode. Kept are incidents with a cause, those of several entities, what was
    alarmed the night before, and what people called true.
    """
    memory = memory or AlertState()
    known = {episode.id: episode for episode in episodes}
    suppressed: list[SuppressedEpisode] = []
    kept = []
    for part in found:
        chance: set[str] = set()
        for diagnosis in part.diagnoses:
            own = [known[name] for name in diagnosis.episodes]
            rarest = min(often[episode.id] for episode in own)
            if rarest <= settings.detect.unknown_a_day or _is_told(diagnosis, own, memory):
                continue
            reason = f"no cause is known, and something as odd is seen {rarest:.0f} times a day in this fleet"
            suppressed += [
                SuppressedEpisode(episode=e, why=SuppressionReason.CHANCE, reason=reason, because=e.lead) for e in own
            ]
            chance.add(diagnosis.id)
        kept.append(_without(part, chance))
    return Sorted(investigations=tuple(kept), suppressed=tuple(suppressed))


def _is_told(diagnosis: Diagnosis, own: Sequence[Episode], memory: AlertState) -> bool:
    """Whether an incident is told whatever chance says."""
    return (
        diagnosis.top.id != UNKNOWN
        or len({episode.entity for episode in own}) >= TOGETHER
        or any(episode.id in memory.alarmed or memory.vouched(episode) for episode in own)
    )


def _without(part: Investigation, chance: set[str]) -> Investigation:
    return replace(
        part,
        diagnoses=tuple(d for d in part.diagnoses if d.id not in chance),
        actions=tuple(action for action in part.actions if action.about not in chance),
        charts={name: charts for name, charts in part.charts.items() if name not in chance},
    )
