"""Consequences: what a fault of the same place and time explains is told as part of it, not as a fault of its own.

Two faults seldom begin together at one host. What no cause explains, and causes that are not surer than that, belong to
the surer incident that they begin and end with, or in whose span they show what its resource does to others. What began
before it, lasts on after it, or moved in another resource meanwhile stays an incident of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow, Observations
from brownout.diagnosis.evidence.symptoms import EvidenceLookup
from brownout.diagnosis.incidents.coverage import APART
from brownout.diagnosis.incidents.grouping import window_of
from brownout.diagnosis.incidents.guest_memory import taken_by
from brownout.diagnosis.incidents.recurrence import PAUSE, Told, stayed_full
from brownout.diagnosis.inference.cause_ranking import Weights
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, EvidenceRole, EvidenceState
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Family, Metric
from brownout.domain.panel import Panel

__all__ = ["AROUND", "without_consequences"]

AROUND = np.timedelta64(1_200_000, "ms")
"""What begins so little before or after an incident begins with it."""
LONG = np.timedelta64(86_400_000, "ms")
"""In an incident that lasts so long something else may well begin."""
SURE = 0.5
"""A cause that is less likely than all others together explains nothing beside its own."""
SMALL = 0.1
"""A mover with less than this part of the largest one's share does not say what an episode is about."""
COINCIDENCE = 1 / (1 + exp(Weights().another))
"""Probability below which a second cause is less likely than that two incidents do not meet."""
TELLING_ROLES = (EvidenceRole.NECESSARY, EvidenceRole.STRONG, EvidenceRole.SUPPORTING)
OWN_KINDS = frozenset({EntityKind.VM, EntityKind.CONSOLE})
"""Entities whose faults reach others only by what those share with them."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """An incident with a known cause, and what it can affect.

    ``own`` are the culprit and all that hangs on it, on ``host``; ``shared`` where its evidence reaches further than
    one guest; ``families`` are the resources of its evidence, whether present or not; ``necessary`` is what it is seen
    by; ``fills`` where it is a store that fills up: nobody sees when that began, nor feels it until it is full.
    """

    window: IncidentWindow
    diagnosis: Diagnosis
    own: frozenset[str]
    host: str
    shared: bool
    families: frozenset[Family]
    necessary: frozenset[Series]
    fills: bool

    @property
    def told(self) -> Told:
        return self.window, self.diagnosis

    def with_episodes(self, more: Sequence[Episode]) -> "_Fault":
        """The same fault with more episodes, each once."""
        episodes = {episode.id: episode for episode in (*self.window.episodes, *more)}
        names = tuple(dict.fromkeys((*self.diagnosis.episodes, *episodes)))
        window = replace(self.window, episodes=tuple(episodes.values()))
        return replace(self, window=window, diagnosis=replace(self.diagnosis, episodes=names))

    def going_on_in(self, episode: Episode) -> "_Fault":
        """The same fault, which an episode shows as well: it lasts from the first to the last of them."""
        start, end = min(self.diagnosis.start, episode.start), max(self.diagnosis.end, episode.end)
        goes_on = self.diagnosis.open or (episode.open and end == episode.end)
        whole = self.with_episodes([episode])
        window = replace(whole.window, start=min(whole.window.start, start), end=max(whole.window.end, end))
        diagnosis = replace(whole.diagnosis, start=start, end=end, open=goes_on)
        return replace(whole, window=window, diagnosis=diagnosis)

    def spans(self, start: np.datetime64, end: np.datetime64) -> bool:
        """Whether something begins in its time and ends with it, or before."""
        begun = self.diagnosis.start - AROUND <= start <= self.window.end + AROUND
        return bool(begun and end <= self.window.end + APART)

    def begins_with(self, start: np.datetime64) -> bool:
        """Whether something begins as it does."""
        return bool(abs(start - self.diagnosis.start) <= AROUND)

    @property
    def is_long(self) -> bool:
        return bool(self.diagnosis.end - self.diagnosis.start > LONG)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Decides what is a consequence of what."""

    topology: Topology
    knowledge: Knowledge
    metrics: Mapping[str, Metric]
    panels: Sequence[Panel] = ()

    def fault(self, told: Told) -> _Fault:
        """What an incident with a known cause can affect."""
        window, diagnosis = told
        top = diagnosis.top
        own = frozenset({top.entity, *self.topology.descendants(top.entity)})
        shown = {e.series.entity for e in top.evidence if e.state is EvidenceState.PRESENT and e.series is not None}
        shared = not shown <= own or self.topology[top.entity].kind not in OWN_KINDS
        necessary = self._metrics_of(top, [EvidenceRole.NECESSARY])
        return _Fault(
            window=window,
            diagnosis=diagnosis,
            own=own,
            host=self.topology.root(top.entity, window.start),
            shared=shared,
            families=frozenset(m.family for m in self._metrics_of(top, TELLING_ROLES)),
            necessary=frozenset(series for _, series in _shown(top)),
            fills=bool(necessary) and all(m.is_limited and m.fills_up and m.name not in self.loads for m in necessary),
        )

    @property
    def loads(self) -> frozenset[str]:
        """Metrics of resources in use, as an uplink: they follow what is asked of them."""
        return frozenset(symptom.metric for symptom in self.knowledge.symptoms.values() if symptom.load)

    def _metrics_of(self, cause: Cause, roles: Collection[EvidenceRole]) -> list[Metric]:
        """Metrics of all that a cause can show, whether it does or not."""
        rules = [rule for rule in self.knowledge.causes[cause.id].evidence if rule.role in roles]
        names = {self.knowledge.symptoms[symptom].metric for rule in rules for symptom, _ in rule.parts}
        return [self.metrics[name] for name in sorted(names) if name in self.metrics]

    def is_same_movement(self, episode: Episode, fault: _Fault) -> bool:
        """Whether an episode is the fault itself: what that is seen by leads, near its time or not recovered since."""
        if Series(episode.entity, episode.lead) not in fault.necessary:
            return False
        pause = max(episode.start - fault.window.end, fault.window.start - episode.end)
        later = episode.start > fault.window.end
        return bool(pause <= PAUSE or (later and stayed_full(fault.told, episode.start, self.panels)))

    def _is_memory_taken(self, episode: Episode, fault: _Fault) -> bool:
        """Whether all that got worse is memory that the fault's host has less of because its guest grew."""
        if episode.entity != fault.host or episode.entity in fault.own:
            return False
        worse, span = self._worse(episode), (fault.diagnosis.start, max(fault.window.end, episode.end))
        grown = [series for series in sorted(fault.necessary) if self._is_memory(series)]
        return all(map(self._is_memory, worse)) and any(taken_by(one, worse, span, self.panels) for one in grown)

    def _is_memory(self, series: Series) -> bool:
        return series.metric in self.metrics and self.metrics[series.metric].family is Family.MEMORY

    def is_symptom(self, episode: Episode, fault: _Fault) -> bool:
        """Whether an episode that no cause explains belongs to a fault of its time.

        Whatever the culprit shows meanwhile does, and memory of its host that it took. Of the rest of its host does
        what begins and ends with it, and, in its span, what users feel and what moved in a resource of its own.
        """
        if self._is_memory_taken(episode, fault):
            return True
        if episode.entity in fault.own:
            within = fault.window.start - AROUND <= episode.start <= fault.window.end + AROUND
            return bool(within)
        begun = episode.movers[0].onset if episode.movers else episode.start
        if (
            not fault.host
            or self.topology.root(episode.entity, episode.start) != fault.host
            or not fault.spans(begun, episode.end)
        ):
            return False
        if fault.begins_with(begun) and not fault.fills:
            return True
        return fault.shared and not fault.is_long and self._is_felt(episode, fault)

    def _is_felt(self, episode: Episode, fault: _Fault) -> bool:
        """Whether all that got worse is what users feel, or of a resource of the fault; but for the smallest movers."""
        if self.topology[episode.entity].kind == EntityKind.CONSOLE:
            return not fault.fills
        families = {self.metrics[series.metric].family for series in self._worse(episode)}
        return bool(families) and families <= fault.families

    def _worse(self, episode: Episode) -> list[Series]:
        """What got worse in an episode, but for the smallest movers."""
        shares = np.nan_to_num([mover.share for mover in episode.movers], nan=1.0)
        large = [m for m, share in zip(episode.movers, shares, strict=True) if share >= SMALL * shares.max()]
        moved = [(self.metrics[m.series.metric], m) for m in large if m.series.metric in self.metrics]
        return [mover.series for metric, mover in moved if metric.worsens(mover.deviation)]

    def is_second_name(self, weaker: _Fault, fault: _Fault) -> bool:
        """Whether a less sure cause is a consequence of a fault, or told of what that speaks against."""
        top, window = weaker.diagnosis.top, weaker.window
        if top.artefact:
            return weaker.host == fault.host and fault.spans(window.start, window.end)
        if self._speaks_against(fault, weaker.diagnosis, window):
            return True
        together = weaker.host == fault.host and fault.spans(weaker.diagnosis.start, weaker.diagnosis.end)
        if not together or top.probability >= COINCIDENCE:
            return False
        if not fault.shared and top.entity not in fault.own:
            return False
        if not fault.is_long and top.family == fault.diagnosis.top.family:
            return True
        surer = fault.diagnosis.top.probability > top.probability
        return surer and fault.begins_with(weaker.diagnosis.start) and not (fault.fills or weaker.fills)

    def _speaks_against(self, fault: _Fault, diagnosis: Diagnosis, window: IncidentWindow) -> bool:
        """Whether a surer incident of the whole time shows what speaks against the cause of an incident."""
        around = fault.window
        meanwhile = around.start - AROUND <= window.start and window.end <= around.end + AROUND
        if not meanwhile or fault.diagnosis.top.probability <= diagnosis.top.probability or not diagnosis.top.entity:
            return False
        lookup, seen = EvidenceLookup(Observations(), self.topology), _shown(fault.diagnosis.top)
        return any(
            any((shown, series.entity) == (symptom, entity) for shown, series in seen)
            for rule in self.knowledge.causes[diagnosis.top.id].evidence
            if rule.role is EvidenceRole.EXCLUDING
            for symptom, where in rule.parts
            for entity in lookup.entities_at(where, diagnosis.top.entity)
        )


def without_consequences(
    incidents: Sequence[Told],
    topology: Topology,
    knowledge: Knowledge,
    metrics: Mapping[str, Metric],
    panels: Sequence[Panel] = (),
) -> list[Told]:
    """Incidents without those, and the episodes without a cause, that another one of the time explains.

    Their episodes are the other incident's then; of what no cause explains the rest stays an incident.
    """
    judge = _Judge(topology, knowledge, metrics, panels)
    known = _without_second_names([judge.fault(told) for told in incidents if told[1].top.id != UNKNOWN], judge)
    alone = []
    for window, diagnosis in incidents:
        if diagnosis.top.id == UNKNOWN:
            left, known = _left(window.episodes, known, judge)
            alone += [_of(window, diagnosis, left, topology)] if left else []
    return sorted([*(fault.told for fault in known), *alone], key=lambda told: (told[0].start, told[1].id))


def _without_second_names(faults: Sequence[_Fault], judge: _Judge) -> list[_Fault]:
    """Faults without those that a surer one explains, which has their episodes; the least sure are asked first."""
    kept = dict(enumerate(faults))
    for place in sorted(kept, key=lambda place: _sureness(kept[place])):
        weaker = kept[place]
        others = (other for other in kept if other != place and _is_sure(kept[other]))
        host = next((other for other in others if judge.is_second_name(weaker, kept[other])), None)
        if host is not None:
            kept[host] = kept[host].with_episodes(weaker.window.episodes)
            del kept[place]
    return list(kept.values())


def _sureness(fault: _Fault) -> tuple[bool, float]:
    return not fault.diagnosis.top.artefact, fault.diagnosis.top.probability


def _is_sure(fault: _Fault) -> bool:
    return not fault.diagnosis.top.artefact and fault.diagnosis.top.probability >= SURE


def _left(
    episodes: Sequence[Episode], known: Sequence[_Fault], judge: _Judge
) -> tuple[tuple[Episode, ...], list[_Fault]]:
    """Episodes that belong to none of the faults, and the faults with theirs; the surest one comes first."""
    faults, left = list(known), list[Episode]()
    order = sorted(range(len(faults)), key=lambda place: _sureness(faults[place]), reverse=True)
    sure = [place for place in order if _is_sure(faults[place])]
    for episode in episodes:
        same = next((place for place in sure if judge.is_same_movement(episode, faults[place])), None)
        if same is not None:
            faults[same] = faults[same].going_on_in(episode)
            continue
        place = next((place for place in sure if judge.is_symptom(episode, faults[place])), None)
        if place is None:
            left.append(episode)
        else:
            faults[place] = faults[place].with_episodes([episode])
    return tuple(left), faults


def _of(window: IncidentWindow, diagnosis: Diagnosis, left: Sequence[Episode], topology: Topology) -> Told:
    """An incident with what is left of its episodes."""
    if len(left) == len(window.episodes):
        return window, diagnosis
    rest = replace(window_of(left, topology), entities=window.entities, explained=window.explained)
    names = tuple(dict.fromkeys(episode.id for episode in left))
    return rest, replace(
        diagnosis, id=rest.id, start=rest.start, end=min(rest.end, max(diagnosis.end, rest.start)),
        open=diagnosis.open and rest.open, episodes=names,
    )  # fmt: skip


def _shown(cause: Cause) -> set[tuple[str, Series]]:
    """Necessary symptoms of a cause that are present, with the metric of the entity that shows each."""
    return {
        (evidence.symptom, evidence.series)
        for evidence in cause.evidence
        if evidence.role is EvidenceRole.NECESSARY
        and evidence.state is EvidenceState.PRESENT
        and evidence.series is not None
    }
