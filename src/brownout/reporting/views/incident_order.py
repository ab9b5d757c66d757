"""Which entities and metrics of an incident come first."""

from collections.abc import Iterable, Sequence

from brownout.domain.findings import Cause, Diagnosis, Episode, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.night import Night

__all__ = ["abnormal_entities", "episodes_of", "first_mover"]


def episodes_of(diagnosis: Diagnosis, night: Night) -> tuple[Episode, ...]:
    """The episodes of an incident, most severe first."""
    names = set(diagnosis.episodes)
    members = (episode for episode in night.episodes if episode.id in names)
    return tuple(sorted(members, key=lambda episode: -episode.severity))


def first_mover(episodes: Iterable[Episode], diagnosis: Diagnosis | None = None) -> Mover | None:
    """What moved first over the episodes of an incident; None where nothing moved far enough by itself.

    Of an incident with a cause only what speaks for it counts: an uptime or a migration beside it says nothing. Where
    the first cause has no such metric among the movers, all of them count.
    """
    movers = [mover for episode in episodes for mover in episode.movers]
    telling = set() if diagnosis is None else _telling(diagnosis.top)
    own = [mover for mover in movers if mover.series in telling]
    return min(own or movers, key=lambda mover: (mover.onset, -abs(mover.deviation)), default=None)


def _telling(cause: Cause) -> set[Series]:
    """The series of a cause's necessary and strong evidence that is present."""
    return {
        evidence.series
        for evidence in cause.evidence
        if evidence.series is not None
        and evidence.state is EvidenceState.PRESENT
        and evidence.role in {EvidenceRole.NECESSARY, EvidenceRole.STRONG}
    }


def abnormal_entities(episodes: Sequence[Episode], diagnosis: Diagnosis | None = None) -> tuple[str, ...]:
    """The entity that moved first, then all others in the order of the episodes."""
    mover = first_mover(episodes, diagnosis)
    names = [] if mover is None else [mover.series.entity]
    return tuple(dict.fromkeys([*names, *(episode.entity for episode in episodes)]))
