"""Which entities and metrics of an incident come first."""

from collections.abc import Iterable, Sequence

from brownout.domain.findings import Diagnosis, Episode, Mover
from brownout.domain.night import Night

__all__ = ["abnormal_entities", "episodes_of", "first_mover"]


def episodes_of(diagnosis: Diagnosis, night: Night) -> tuple[Episode, ...]:
    """The episodes of an incident, most severe first."""
    names = set(diagnosis.episodes)
    members = (episode for episode in night.episodes if episode.id in names)
    return tuple(sorted(members, key=lambda episode: -episode.severity))


def first_mover(episodes: Iterable[Episode]) -> Mover | None:
    """What moved first over the episodes of an incident; None where nothing moved far enough by itself."""
    movers = [episode.first for episode in episodes if episode.first is not None]
    return min(movers, key=lambda mover: (mover.onset, -abs(mover.deviation)), default=None)


def abnormal_entities(episodes: Sequence[Episode]) -> tuple[str, ...]:
    """The entity that moved first, then all others in the order of the episodes."""
    mover = first_mover(episodes)
    names = [] if mover is None else [mover.series.entity]
    return tuple(dict.fromkeys([*names, *(episode.entity for episode in episodes)]))
