"""Search: the episodes of one shard, with what is known of its past, its peers, its levels and its like."""

from collections.abc import Sequence
from dataclasses import dataclass

from brownout.detection.alert_state import AlertState
from brownout.detection.baseline.level_shifts import moved_to_new_level, rescored_after_shifts, with_accepted_shifts
from brownout.detection.baseline.newcomers import (
    newcomers_in,
    with_peer_history,
    without_first_day,
    without_peer_slots,
)
from brownout.detection.episodes.metric_shares import with_metric_shares
from brownout.detection.episodes.outliers import single_sample_episodes
from brownout.detection.episodes.relocation import relocation_episodes
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.episodes.threshold_rules import load_rules, with_rules
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import AnomalyScores, Episode, Shift, SuppressedEpisode
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.nightly.siblings import peers_of
from brownout.settings import Settings

__all__ = ["Searched", "search"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """Episodes to look into, those that are not alarmed, the scores, and all levels that were accepted as usual."""

    scores: AnomalyScores
    episodes: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    shifts: tuple[Shift, ...]


def search(  # noqa: PLR0913, PLR0917 - what is searched, from where on, by whom, with what memory
    store: SampleStore,
    panel: Panel,
    first: int,
    detector: IsolationForestDetector,
    memory: AlertState,
    settings: Settings,
) -> Searched:
    """Search the slots of a panel from ``first`` on; what lies before serves as history only."""
    new = newcomers_in(panel)
    known = with_peer_history(panel, peers_of(store, panel, new, settings), new)
    scores = without_peer_slots(detector.score(known, first), known, new)
    scores = without_first_day(scores, known)
    recent = [shift for shift in memory.shifts if shift.at > panel.start]
    scores, shifts = rescored_after_shifts(detector, scores, known, recent, settings.detect.accept_hours)
    found = with_accepted_shifts(_explained(scores, known, shifts, detector), shifts)
    settled = memory.settle(found)
    ruled = with_rules(settled.episodes, panel, load_rules())
    lone = single_sample_episodes(ruled, panel)
    alone = {quiet.episode.id for quiet in lone}
    moved = relocation_episodes([one for one in ruled if one.id not in alone], panel, store.topology.moves)
    alone |= {quiet.episode.id for quiet in moved}
    return Searched(
        scores=scores,
        episodes=tuple(episode for episode in ruled if episode.id not in alone),
        suppressed=(*settled.suppressed, *lone, *moved),
        shifts=shifts,
    )


def _explained(
    scores: AnomalyScores, panel: Panel, shifts: Sequence[Shift], detector: IsolationForestDetector
) -> tuple[Episode, ...]:
    """Episodes with the shares of their metrics, each by the levels that were usual when it began."""
    found = find_episodes(scores, panel)
    at = {shift.series.entity: shift.at for shift in sorted(shifts, key=lambda one: one.at, reverse=True)}
    late = {episode.id for episode in found if episode.entity in at and episode.start >= at[episode.entity]}
    before = with_metric_shares([e for e in found if e.id not in late], scores, panel, detector)
    if not late:
        return before
    after = with_metric_shares([e for e in found if e.id in late], scores, moved_to_new_level(panel, shifts), detector)
    return tuple(sorted((*before, *after), key=lambda episode: (episode.start, episode.entity)))
