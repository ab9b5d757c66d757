"""What the product finds in a data set by itself: night after night, each with a detector that knows the days before.

The steps are those of a night: search, grouping, and the investigation that tells artefacts from faults.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from brownout.detection.alert_state import AlertState
from brownout.detection.episodes.segmentation import in_progress
from brownout.domain.findings import AnomalyScores, Diagnosis, Episode, Shift, SuppressedEpisode
from brownout.domain.metrics import Catalogue
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.evaluation.alarm_tracks import AlarmTrack
from brownout.nightly.calendars import calendar_of
from brownout.nightly.context import LEARNED_SHARE, NightSpan
from brownout.nightly.detect import search
from brownout.nightly.diagnose import group_incidents, investigate
from brownout.nightly.false_alarms import expected_per_day, suppress_expected
from brownout.nightly.forecast import DETECTOR_PAST_DAYS
from brownout.nightly.train import fit_detector
from brownout.numerics.arrays import Marks
from brownout.numerics.slots import days
from brownout.settings import Settings
from brownout.store.shards import plan_shards, read_shard

__all__ = ["OwnNights", "can_be_diagnosed", "held_over", "nights_of", "own_nights"]

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnNights:
    """What all nights found together.

    Attributes
    ----------
    found, quiet
        Every episode, and those of them that are not alarmed, with the reason.
    diagnoses, artefacts
        What was said of incidents that are alarmed, and of those that are not.
    tracks
        When an episode was known to be going on, alarmed or not, one track an entity.
    """

    found: tuple[Episode, ...]
    suppressed: tuple[SuppressedEpisode, ...]
    diagnoses: tuple[Diagnosis, ...]
    artefacts: tuple[Diagnosis, ...]
    tracks: tuple[AlarmTrack, ...]

    @property
    def alarmed(self) -> tuple[Episode, ...]:
        """Episodes that raise an alarm."""
        muted = {one.episode.id for one in self.suppressed}
        return tuple(episode for episode in self.found if episode.id not in muted)

    def alarms(self) -> tuple[AlarmTrack, ...]:
        """The tracks, of the episodes that raise an alarm only."""
        return tuple(_of_episodes(track, self.alarmed) for track in self.tracks)


def can_be_diagnosed(store: SampleStore) -> bool:
    """Whether a diagnosis has what it needs: metrics of the catalogue, and what hangs on what."""
    named = Catalogue.load().metrics
    return any(metric.name in named for metric in store.metrics) and any(entity.parent for entity in store.topology)


def nights_of(store: SampleStore, settings: Settings, first: np.datetime64 | None) -> Iterator[NightSpan]:
    """Windows that follow each other from ``first`` on, else from where the learned share of the data ends."""
    whole = NightSpan.of(store, settings)
    window = whole.first + (whole.end - whole.first) * LEARNED_SHARE if first is None else first
    while window < whole.end:
        end = min(window + days(settings.detect.window_days), whole.end)
        yield NightSpan(first=whole.first, window=window, end=end)
        window = end


def own_nights(
    store: SampleStore,
    settings: Settings,
    nights: Sequence[NightSpan],
    progress: Progress = no_progress,
    *,
    delay_s: float = 0.0,
) -> OwnNights:
    """Search all nights, group what they found, and investigate it; what goes on for nights is one episode.

    ``delay_s`` pretends for the investigation that each episode was noticed so many seconds later.
    """
    log = _Log()
    memory = AlertState()
    for done, night in enumerate(nights):
        memory = _search(store, settings, night, memory, log)
        progress("search", (done + 1) / len(nights))
    found = tuple(_late(episode, delay_s) for episode in log.episodes.values())
    batches = group_incidents(store, found)
    causes = []
    for done, batch in enumerate(batches):
        causes.append(investigate(store, batch, settings))
        progress("investigate", (done + 1) / len(batches))
    told = suppress_expected(causes, found, log.often, settings)
    return OwnNights(
        found=(*found, *(one.episode for one in log.lone)),
        suppressed=(*log.lone, *(one for part in causes for one in part.suppressed), *told.suppressed),
        diagnoses=tuple(diagnosis for part in told.investigations for diagnosis in part.diagnoses),
        artefacts=tuple(diagnosis for part in causes for diagnosis in part.artefacts),
        tracks=log.tracks(),
    )


def _late(episode: Episode, delay_s: float) -> Episode:
    """An episode whose begin nobody saw; one that was over by then is noticed as it ends."""
    return replace(episode, start=min(episode.start + np.timedelta64(round(delay_s * 1000), "ms"), episode.end))


@dataclass(slots=True)
class _Log:
    """What the searches of all nights have found: episodes by id and how often, single outliers, marks by entity."""

    episodes: dict[str, Episode] = field(default_factory=dict)
    often: dict[str, float] = field(default_factory=dict)
    lone: list[SuppressedEpisode] = field(default_factory=list)
    marks: dict[str, list[tuple[int, Times, Marks]]] = field(default_factory=dict)

    def add(self, scores: AnomalyScores, marks: Marks) -> None:
        for row, entity in enumerate(scores.entities):
            self.marks.setdefault(entity, []).append((scores.interval_s, scores.times, marks[row]))

    def keep(self, found: Sequence[Episode], lone: Sequence[SuppressedEpisode]) -> None:
        """Keep a night's episodes: what goes on is one, and alarmed where it was in any night."""
        self.episodes |= {episode.id: episode for episode in found}
        quiet = {one.episode.id: one for one in (*self.lone, *lone)}
        self.lone = [one for name, one in quiet.items() if name not in self.episodes]

    def tracks(self) -> tuple[AlarmTrack, ...]:
        return tuple(
            AlarmTrack(
                entity,
                float(parts[0][0]),
                np.concatenate([times for _, times, _ in parts]),
                np.concatenate([marks for _, _, marks in parts]),
            )
            for entity, parts in self.marks.items()
        )


def _search(store: SampleStore, settings: Settings, night: NightSpan, memory: AlertState, log: _Log) -> AlertState:
    """Search one night as a watch does; returns what the next one remembers."""
    detector = fit_detector(store, settings, night)
    start = max(night.first, night.window - days(DETECTOR_PAST_DAYS))
    found: list[Episode] = []
    lone: list[SuppressedEpisode] = []
    shifts: list[Shift] = []
    for plan in plan_shards(store, size=settings.shard_size, start=start, end=night.end):
        panel = calendar_of(settings).without(read_shard(store, plan).panel, store.topology)
        first = min(max(panel.slot(night.window), 1), panel.values.shape[1])
        searched = search(store, panel, first, detector, memory, settings)
        levels = searched.scores.scores if searched.scores.levels is None else searched.scores.levels
        log.add(searched.scores, held_over(in_progress(levels, panel.interval_s), searched.scores, searched.episodes))
        lone += searched.suppressed
        found += searched.episodes
        shifts += searched.shifts
    log.keep(found, lone)
    log.often |= expected_per_day(store, found, detector)
    return AlertState(known=(*found, *(one.episode for one in lone)), shifts=tuple(shifts))


def held_over(marks: Marks, scores: AnomalyScores, found: Sequence[Episode]) -> Marks:
    """Marks with those of what goes on from the night before: it needs no new confirmation."""
    held = marks.copy()
    rows = {entity: row for row, entity in enumerate(scores.entities)}
    for episode in found:
        if len(scores.times) and episode.start < scores.times[0]:
            held[rows[episode.entity]] |= scores.times < episode.end
    return held


def _of_episodes(track: AlarmTrack, episodes: Sequence[Episode]) -> AlarmTrack:
    """The runs of a track that overlap one of the episodes."""
    own = [episode for episode in episodes if episode.entity == track.entity]
    return track.only([(episode.start, episode.end) for episode in own])
