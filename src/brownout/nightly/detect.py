"""Detection of a night: the episodes of one shard, from scores, rules, known levels and what people said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from brownout.detection.baseline.level_shifts import moved_to_new_level, rescored_after_shifts, with_accepted_shifts
from brownout.detection.baseline.newcomers import (
    newcomers_in,
    with_peer_history,
    without_first_day,
    without_peer_slots,
)
from brownout.detection.episodes.line_episodes import Line, line_episodes
from brownout.detection.episodes.metric_shares import with_metric_shares
from brownout.detection.episodes.outliers import single_sample_episodes
from brownout.detection.episodes.relocation import first_starts, relocation_episodes
from brownout.detection.episodes.rule_precedents import RulePrecedents, rule_precedents
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.episodes.threshold_rules import with_rules
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.kept_scores import KeptScores
from brownout.diagnosis.inference.cause_ranking import CLEAR
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import AnomalyScores, Episode, EvidenceRole, Shift, SuppressedEpisode
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Doubles, Panel
from brownout.nightly.context import NightContext
from brownout.nightly.siblings import sibling_panel

__all__ = ["ShardDetection", "detect"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardDetection:
    """What was detected in a shard.

    ``episodes`` are to be diagnosed, ``suppressed`` ones raise no alarm; ``shifts`` are all levels that are accepted as
    usual, lately or in earlier nights. ``scores`` are None where the context keeps no points. ``precedents`` say how
    often rules were raised before.
    """

    scores: AnomalyScores | None
    episodes: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    shifts: tuple[Shift, ...]
    precedents: RulePrecedents = field(default_factory=RulePrecedents)


def detect(context: NightContext, panel: Panel, first: int, kept_scores: KeptScores | None = None) -> ShardDetection:
    """Search the slots of a panel from ``first`` on; what lies before serves as history only.

    ``kept_scores`` are the scores of the shard from an earlier pass.
    """
    detector, state = context.detector, context.state
    newcomers = newcomers_in(panel)
    known = with_peer_history(panel, sibling_panel(context, panel, newcomers), newcomers)
    scores = detector.score(known, first) if kept_scores is None else kept_scores.score(detector, known, first)
    scores = without_peer_slots(scores, known, newcomers)
    scores = without_first_day(scores, known)
    recent = [shift for shift in state.shifts if shift.at > panel.start]
    scores, shifts = rescored_after_shifts(detector, scores, known, recent, context.settings.detect.accept_hours)
    explained = _explained(scores, known, shifts, detector, {} if kept_scores is None else kept_scores.shares)
    lines = _watched_lines(context.diagnoser.knowledge, context.metrics)
    by_line = line_episodes(scores, known, lines, explained)
    every = sorted((*explained, *by_line), key=lambda episode: (episode.start, episode.entity))
    settled = state.settle(with_accepted_shifts(every, shifts))
    ruled = with_rules(settled.episodes, panel, context.rules)
    suppressed: tuple[SuppressedEpisode, ...] = ()
    starts = first_starts(context.topology, context.store.spans())
    for explain in (
        partial(single_sample_episodes, panel=panel),
        partial(relocation_episodes, panel=panel, moves=context.topology.moves, starts=starts),
    ):
        suppressed += explain(_without(ruled, suppressed))
    alarmed = _without(ruled, suppressed)
    return ShardDetection(
        scores=_without_deviations(scores) if context.keep_points else None,
        episodes=alarmed,
        suppressed=(*settled.suppressed, *suppressed),
        shifts=shifts,
        precedents=rule_precedents(alarmed, panel, context.rules),
    )


def _without(episodes: Sequence[Episode], suppressed: Sequence[SuppressedEpisode]) -> tuple[Episode, ...]:
    """Episodes that raise an alarm."""
    left_out = {quiet.episode.id for quiet in suppressed}
    return tuple(episode for episode in episodes if episode.id not in left_out)


def _without_deviations(scores: AnomalyScores) -> AnomalyScores:
    """Scores without what each metric did, which is most of their size."""
    return replace(scores, metrics=(), deviations=np.empty((*scores.scores.shape, 0), np.float32))


def _explained(
    scores: AnomalyScores,
    panel: Panel,
    shifts: Sequence[Shift],
    detector: IsolationForestDetector,
    shares: dict[tuple[int, int], Doubles],
) -> tuple[Episode, ...]:
    """Episodes with the shares of their metrics, each by the levels that were usual when it began.

    ``shares`` are those on the panel as it is that were found before.
    """
    episodes = find_episodes(scores, panel)
    at = {shift.series.entity: shift.at for shift in sorted(shifts, key=lambda one: one.at, reverse=True)}
    late = {episode.id for episode in episodes if episode.entity in at and episode.start >= at[episode.entity]}
    before = with_metric_shares([e for e in episodes if e.id not in late], scores, panel, detector, shares)
    if not late:
        return before
    after = with_metric_shares(
        [e for e in episodes if e.id in late], scores, moved_to_new_level(panel, shifts), detector
    )
    return tuple(sorted((*before, *after), key=lambda episode: (episode.start, episode.entity)))


def _watched_lines(knowledge: Knowledge, metrics: Mapping[str, Metric]) -> tuple[Line, ...]:
    """A line for each symptom with values of its own that is necessary for a fault, where it counts in full.

    Not of metrics that nobody calls worse or better, and not of load: a resource in use is no fault by itself.
    """
    names = {
        symptom
        for cause in knowledge.causes.values()
        if not cause.artefact
        for rule in cause.evidence
        if rule.role is EvidenceRole.NECESSARY
        for symptom, _ in rule.parts
    }
    lines = []
    for name in sorted(names):
        symptom = knowledge.symptoms[name]
        metric = metrics.get(symptom.metric)
        if metric is None or metric.worse is Worse.NONE or symptom.load:
            continue
        plain = symptom.measure == "level" and not symptom.shape and symptom.direction != "either"
        if plain and symptom.low is not None and symptom.high is not None:
            value = symptom.low + CLEAR * (symptom.high - symptom.low)
            lines.append(Line(metric=symptom.metric, value=value, up=symptom.direction == "up"))
    return tuple(lines)
