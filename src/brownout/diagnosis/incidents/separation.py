"""Separation: one incident for one fault. Each cause covers some episodes, and what is left is asked about again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.evidence.symptoms import resource_of
from brownout.diagnosis.incidents.artefacts import by_nature, explained_by_artefact, is_artefact, movers_of
from brownout.diagnosis.incidents.coverage import APART, covered_by, explained_by, reach_of
from brownout.diagnosis.incidents.grouping import group_episodes, overlapping, parts_by_onset, window_of
from brownout.diagnosis.inference.explanation import decider, summarise
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, SuppressedEpisode
from brownout.domain.metrics import Metric, shipped_catalogue

__all__ = ["Sifted", "sift"]

Diagnose = Callable[[IncidentWindow], Diagnosis]
OwnSpan = Callable[[Diagnosis, IncidentWindow], tuple[np.datetime64, np.datetime64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """Incidents with their diagnoses, the episodes that an artefact explains, and what was said of those artefacts."""

    windows: tuple[IncidentWindow, ...]
    diagnoses: tuple[Diagnosis, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    artefacts: tuple[Diagnosis, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """An incident with a diagnosis, and the entities that its cause can affect; none where it is unknown."""

    window: IncidentWindow
    diagnosis: Diagnosis
    reach: frozenset[str] = frozenset()

    def with_episodes(self, more: tuple[Episode, ...], topology: Topology) -> "_Told":
        """The same incident with more episodes, each once; it begins when its cause did."""
        every = {episode.id: episode for episode in (*more, *self.window.episodes)}
        window = replace(
            window_of(list(every.values()), topology),
            id=self.window.id,
            start=self.window.start,
            entities=self.window.entities,
        )
        return replace(self, window=window, diagnosis=_restated(self.diagnosis, window))


@dataclass(slots=True)
class _Separation:
    """Work on one group of episodes."""

    diagnose: Diagnose
    knowledge: Knowledge
    topology: Topology
    metrics: Mapping[str, Metric]
    own_span: OwnSpan
    told: list[_Told] = field(default_factory=list)
    unknown: list[_Told] = field(default_factory=list)
    suppressed: list[SuppressedEpisode] = field(default_factory=list)
    artefacts: list[Diagnosis] = field(default_factory=list)

    def step(self, current: IncidentWindow) -> list[IncidentWindow]:
        """Diagnose a window and keep what is said of it; returns what is to be asked about next."""
        diagnosis = self._of_what_moved(current, self.diagnose(current))
        if diagnosis.top.id == UNKNOWN:
            return self._unknown(current, diagnosis)
        reach = reach_of(diagnosis.top, self.knowledge, self.topology.at(diagnosis.start))
        if is_artefact(diagnosis, reach):
            return self._set_apart(current, diagnosis, reach)
        return self._tell(current, diagnosis)

    def _of_what_moved(self, window: IncidentWindow, diagnosis: Diagnosis) -> Diagnosis:
        """The diagnosis without causes that have nothing to do with what moved in a window, where the first is one."""
        left = [cause for cause in diagnosis.causes if not self._is_strange(cause, window)]
        if not left or diagnosis.top in left:
            return diagnosis
        total = sum(cause.probability for cause in left)
        alone = (replace(cause, contributing=False, probability=cause.probability / total) for cause in left)
        causes = tuple(sorted(alone, key=lambda cause: -cause.probability))
        return replace(
            diagnosis,
            causes=causes,
            summary=summarise(causes, self.knowledge),
            decider=decider(causes, self.knowledge),
        )

    def _is_strange(self, cause: Cause, window: IncidentWindow) -> bool:
        """Whether a fault accounts for no resource that moved, or an artefact can affect none of the entities."""
        if cause.id == UNKNOWN or not self.knowledge.causes[cause.id].kind:
            return False
        then = self.topology.at(window.start)
        if cause.artefact:
            entities = {episode.entity for episode in window.episodes}
            return bool(entities) and reach_of(cause, self.knowledge, then).isdisjoint(entities)
        resources = explained_by(cause, self.knowledge, then, self.metrics)
        series = (mover.series for episode in window.episodes for mover in episode.movers)
        moved = {(s.entity, resource_of(self.metrics[s.metric])) for s in series if s.metric in self.metrics}
        return bool(resources and moved) and resources.isdisjoint(moved)

    def _set_apart(self, current: IncidentWindow, diagnosis: Diagnosis, reach: frozenset[str]) -> list[IncidentWindow]:
        """Keep quiet what an artefact explains; what began long after it did is asked about by itself."""
        self.artefacts.append(diagnosis)
        within = [episode for episode in current.episodes if episode.entity in reach]
        rest = tuple(episode for episode in current.episodes if episode.entity not in reach)
        entities = tuple(entity for entity in current.entities if entity not in reach)
        begun = [mover.onset for mover in movers_of(diagnosis.top, within)]
        last = max([min(begun, default=current.end), min((e.start for e in within), default=current.end)]) + APART
        later = tuple(episode for episode in within if episode.start > last)
        self.suppressed += [explained_by_artefact(e, diagnosis.top) for e in within if e not in later]
        return self._next(rest, replace(current, entities=entities)) + self._next(later, current)

    def _unknown(self, current: IncidentWindow, diagnosis: Diagnosis) -> list[IncidentWindow]:
        natural = by_nature(current, self.knowledge)
        if natural:
            self.suppressed += natural
            explained = {one.episode.id for one in natural}
            return self._next(tuple(e for e in current.episodes if e.id not in explained), current)
        parts = parts_by_onset(current, self.topology.at(current.start))
        if len(parts) > 1:
            return list(parts)
        self.unknown.append(_Told(window=current, diagnosis=diagnosis))
        return []

    def _tell(self, current: IncidentWindow, diagnosis: Diagnosis) -> list[IncidentWindow]:
        """Keep what a cause covers as one incident; the rest is asked about without what the cause accounts for."""
        same = next((one for one in self.told if _same_cause(one, diagnosis.top, current)), None)
        if same is not None:
            self.told[self.told.index(same)] = same.with_episodes(current.episodes, self.topology)
            return []
        span, resources = (diagnosis.start, diagnosis.end), frozenset[tuple[str, str]]()
        covered, left, onset = current.episodes, tuple[Episode, ...](), diagnosis.start
        reach, then = frozenset(current.entities), self.topology.at(diagnosis.start)
        if self.knowledge.causes[diagnosis.top.id].kind:
            resources = explained_by(diagnosis.top, self.knowledge, then, self.metrics)
            culprit = diagnosis.top.entity
            reach = frozenset({culprit, *then.descendants(culprit), *(entity for entity, _ in resources)})
            coverage = covered_by(current, span, resources, reach=reach, metrics=self.metrics)
            if coverage.covered:
                covered, left, onset = coverage.covered, coverage.left, coverage.onset
        window = _covering(current, covered, onset)
        over = self.own_span(_restated(diagnosis, window), window)[1] + APART
        later = tuple(episode for episode in covered if episode.start > over)
        if 0 < len(later) < len(covered):
            window = _covering(current, tuple(episode for episode in covered if episode not in later), onset)
        self.told.append(_Told(window=window, diagnosis=_restated(diagnosis, window), reach=reach))
        rest = self._next(left, replace(current, explained=current.explained | resources))
        return [*rest, *self._next(later, current)] if len(later) < len(covered) else rest

    def _next(self, episodes: tuple[Episode, ...], like: IncidentWindow) -> list[IncidentWindow]:
        return [
            replace(part, entities=like.entities, explained=like.explained)
            for part in group_episodes(episodes, self.topology)
        ]

    def attach_rest(self) -> None:
        """Episodes that nothing explains belong to the incident that can affect them; others are incidents."""
        covered = {episode.id for one in self.told for episode in one.window.episodes}
        alone: list[_Told] = []
        for one in self.unknown:
            own = tuple(episode for episode in one.window.episodes if episode.id not in covered)
            host = next((told for told in self.told if _affects(told, own)), None)
            if own and host is not None:
                self.told[self.told.index(host)] = host.with_episodes(own, self.topology)
            elif own:
                window = replace(window_of(own, self.topology), entities=one.window.entities)
                alone.append(replace(one, window=window, diagnosis=_restated(one.diagnosis, window)))
        self.unknown = alone


def sift(  # noqa: PLR0913 - what an incident is asked about, and by whom
    window: IncidentWindow,
    diagnose: Diagnose,
    knowledge: Knowledge,
    topology: Topology,
    metrics: Mapping[str, Metric] | None = None,
    *,
    own_span: OwnSpan = lambda diagnosis, _: (diagnosis.start, diagnosis.end),
) -> Sifted:
    """Diagnose the episodes of a host, one incident for each fault, with artefacts set apart.

    Where an artefact is the cause, only what lies within its reach is explained by it, so that a fault beside it stays
    an alarm. Where a fault is, it covers the episodes whose metrics it moves from its own onset on; what begins after
    its evidence was over, as ``own_span`` says, is asked about by itself.
    """
    work = _Separation(
        diagnose, knowledge, topology, shipped_catalogue().metrics if metrics is None else metrics, own_span
    )
    waiting = [window]
    while waiting:
        waiting += work.step(waiting.pop(0))
    work.attach_rest()
    tops = {(one.diagnosis.top.id, one.diagnosis.top.entity) for one in work.told}
    told = [*work.told, *work.unknown]
    return Sifted(
        windows=tuple(one.window for one in told),
        diagnoses=tuple(_once(one.diagnosis, tops, knowledge) for one in told),
        suppressed=tuple(work.suppressed),
        artefacts=tuple(work.artefacts),
    )


def _covering(window: IncidentWindow, episodes: tuple[Episode, ...], onset: np.datetime64) -> IncidentWindow:
    """A window with some of its episodes, from the onset of what they have in common."""
    return replace(
        window,
        start=onset,
        end=max(episode.end for episode in episodes),
        episodes=episodes,
        open=any(episode.open for episode in episodes),
    )


def _restated(diagnosis: Diagnosis, window: IncidentWindow) -> Diagnosis:
    return replace(
        diagnosis,
        id=window.id,
        start=window.start,
        end=window.end,
        open=window.open,
        episodes=tuple(dict.fromkeys(episode.id for episode in window.episodes)),
    )


def _same_cause(one: _Told, cause: Cause, window: IncidentWindow) -> bool:
    """Whether an incident that was told before has the same cause at the same time."""
    top = one.diagnosis.top
    return (top.id, top.entity) == (cause.id, cause.entity) and overlapping(one.window, window)


def _affects(told: _Told, episodes: tuple[Episode, ...]) -> bool:
    """Whether all of some episodes lie within what an incident's cause can affect, at its time."""
    return all(e.entity in told.reach and overlapping(told.window, e) for e in episodes)


def _once(diagnosis: Diagnosis, tops: set[tuple[str, str]], knowledge: Knowledge) -> Diagnosis:
    """A diagnosis without further causes that are incidents of their own."""
    causes = tuple(c for c in diagnosis.causes if not (c.contributing and (c.id, c.entity) in tops))
    if len(causes) == len(diagnosis.causes):
        return diagnosis
    return replace(diagnosis, causes=causes, summary=summarise(causes, knowledge))
