"""What consecutive nights of a data set found together: the last word on each episode and incident, and all marks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.detection.episodes.segmentation import in_progress
from brownout.domain.findings import AnomalyScores, Diagnosis, Episode, SuppressedEpisode
from brownout.domain.metrics import Catalogue
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.evaluate.replay import replay
from brownout.evaluation.alarm_tracks import AlarmTrack
from brownout.nightly.night_span import NightSpan
from brownout.nightly.run import NightResult
from brownout.settings import Settings

__all__ = ["OwnNights", "can_be_diagnosed", "held_over", "own_nights"]

Times = npt.NDArray[np.datetime64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnNights:
    """The findings of all nights.

    Attributes
    ----------
    episodes, suppressed
        Every episode, and those of them that are not alarmed, with the reason.
    diagnoses, artefacts
        What was said of incidents that are alarmed, and of those that are not.
    tracks
        When an episode was known to be going on, alarmed or not, one track an entity.
    """

    episodes: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    diagnoses: tuple[Diagnosis, ...]
    artefacts: tuple[Diagnosis, ...]
    tracks: tuple[AlarmTrack, ...]

    @property
    def alarmed(self) -> tuple[Episode, ...]:
        """Episodes that raise an alarm."""
        muted = {quiet.episode.id for quiet in self.suppressed}
        return tuple(episode for episode in self.episodes if episode.id not in muted)

    def alarms(self) -> tuple[AlarmTrack, ...]:
        """The tracks, of the episodes that raise an alarm only."""
        return tuple(_of_episodes(track, self.alarmed) for track in self.tracks)


def can_be_diagnosed(store: SampleStore, catalogue: Catalogue) -> bool:
    """Whether a diagnosis is possible: there are metrics of the catalogue, and entities with a parent."""
    return any(metric.name in catalogue.metrics for metric in store.metrics) and any(
        entity.parent for entity in store.topology
    )


def own_nights(
    store: SampleStore,
    settings: Settings,
    spans: Sequence[NightSpan],
    progress: Progress = no_progress,
    *,
    delay_s: float = 0.0,
) -> OwnNights:
    """The findings of all nights; an episode or incident of several nights counts once, in its last form."""
    log = _Log()
    for result in replay(store, settings, spans, late_s=delay_s, progress=progress):
        log.add(result)
    return log.nights()


@dataclass(slots=True)
class _Log:
    """The findings of all nights so far: each episode and incident in its last form, and marks by entity."""

    episodes: dict[str, Episode] = field(default_factory=dict)
    suppressed: dict[str, SuppressedEpisode] = field(default_factory=dict)
    diagnoses: dict[str, Diagnosis] = field(default_factory=dict)
    artefacts: dict[str, Diagnosis] = field(default_factory=dict)
    marks: dict[str, list[tuple[int, Times, Marks]]] = field(default_factory=dict)

    def add(self, result: NightResult) -> None:
        """Keep a night; what was alarmed in any night is alarmed."""
        night = result.night
        self.episodes |= {episode.id: episode for episode in night.episodes}
        self.suppressed |= {quiet.episode.id: quiet for quiet in night.suppressed}
        self.suppressed = {name: quiet for name, quiet in self.suppressed.items() if name not in self.episodes}
        self.diagnoses |= {diagnosis.id: diagnosis for diagnosis in night.diagnoses}
        self.artefacts |= {diagnosis.id: diagnosis for batch in result.batches for diagnosis in batch.artefacts}
        for shard in result.shards:
            scores = shard.detection.scores
            if scores is not None:
                self._mark(scores, shard.detection.episodes)

    def _mark(self, scores: AnomalyScores, episodes: Sequence[Episode]) -> None:
        levels = scores.scores if scores.levels is None else scores.levels
        marks = held_over(in_progress(levels, scores.interval_s), scores, episodes)
        for row, entity in enumerate(scores.entities):
            self.marks.setdefault(entity, []).append((scores.interval_s, scores.times, marks[row]))

    def nights(self) -> OwnNights:
        """Everything together."""
        return OwnNights(
            episodes=(*self.episodes.values(), *(quiet.episode for quiet in self.suppressed.values())),
            suppressed=tuple(self.suppressed.values()),
            diagnoses=tuple(self.diagnoses.values()),
            artefacts=tuple(self.artefacts.values()),
            tracks=self._tracks(),
        )

    def _tracks(self) -> tuple[AlarmTrack, ...]:
        return tuple(
            AlarmTrack(
                entity,
                float(parts[0][0]),
                np.concatenate([times for _, times, _ in parts]),
                np.concatenate([marks for _, _, marks in parts]),
            )
            for entity, parts in self.marks.items()
        )


def held_over(marks: Marks, scores: AnomalyScores, episodes: Sequence[Episode]) -> Marks:
    """Marks with those of what goes on from the night before: it needs no new confirmation."""
    held = marks.copy()
    rows = {entity: row for row, entity in enumerate(scores.entities)}
    for episode in episodes:
        if len(scores.times) and episode.start < scores.times[0]:
            held[rows[episode.entity]] |= scores.times < episode.end
    return held


def _of_episodes(track: AlarmTrack, episodes: Sequence[Episode]) -> AlarmTrack:
    """The runs of a track that overlap one of the episodes."""
    own = [episode for episode in episodes if episode.entity == track.entity]
    return track.only([(episode.start, episode.end) for episode in own])
