"""Episodes of a report: those that are alarmed, those that are not, and what people said."""

from collections.abc import Iterable

from brownout.domain import calendar, findings, night, verdicts
from brownout.reporting import schema
from brownout.reporting.numbers import iso, known

__all__ = ["episode_of", "first_of", "maintenance_of", "mover_of", "quiet_of", "shift_of", "verdict_of"]


def episode_of(episode: findings.Episode, found: night.Night) -> schema.Episode:
    """An episode with the metrics that moved."""
    return schema.Episode(
        id=episode.id,
        entity=episode.entity,
        start=iso(episode.start),
        end=iso(episode.end),
        open=episode.open,
        severity=round(episode.severity, 3),
        movers=[mover_of(mover, found) for mover in episode.movers],
        shape="" if episode.shape is None else episode.shape.value,
        onset="" if episode.onset is None else iso(episode.onset),
        onset_slack_s=episode.onset_slack_s,
        rules=list(episode.rules),
        shifts=[shift_of(shift, found) for shift in episode.shifts],
    )


def shift_of(shift: findings.Shift, found: night.Night) -> schema.Shift:
    """A level that was accepted as usual."""
    metric = found.metrics[shift.series.metric]
    return schema.Shift(
        entity=shift.series.entity,
        metric=metric.name,
        title=metric.label,
        unit=metric.unit,
        onset=iso(shift.onset),
        at=iso(shift.at),
        usual=round(shift.usual, 4),
        level=round(shift.level, 4),
    )


def first_of(episodes: Iterable[findings.Episode]) -> findings.Mover | None:
    """What moved first over the episodes of an incident, None where nothing moved far enough by itself."""
    movers = [episode.first for episode in episodes if episode.first is not None]
    return min(movers, key=lambda mover: (mover.onset, -abs(mover.deviation)), default=None)


def mover_of(mover: findings.Mover, found: night.Night) -> schema.Mover:
    """A metric that moved, with its title and unit."""
    metric = found.metrics[mover.series.metric]
    return schema.Mover(
        entity=mover.series.entity,
        metric=metric.name,
        title=metric.label,
        unit=metric.unit,
        usual=known(mover.usual),
        peak=known(mover.peak),
        deviation=known(mover.deviation),
        onset=iso(mover.onset),
        share=known(mover.share),
    )


def maintenance_of(window: calendar.Announced) -> schema.Maintenance:
    """A window of maintenance."""
    return schema.Maintenance(
        name=window.name,
        start=iso(window.start),
        end=iso(window.end),
        entities=window.entities,
        unknown=list(window.unknown),
    )


def quiet_of(quiet: findings.SuppressedEpisode, found: night.Night) -> schema.SuppressedEpisode:
    """An episode that is not alarmed, and why."""
    return schema.SuppressedEpisode(
        why=quiet.why.value, reason=quiet.reason, because=quiet.because, episode=episode_of(quiet.episode, found)
    )


def verdict_of(verdict: verdicts.Verdict, found: night.Night) -> schema.Verdict:
    """What someone said, and how many episodes of the night it mutes."""
    episode = verdict.episode
    return schema.Verdict(
        episode=episode.id,
        entity=episode.entity,
        metric=episode.lead,
        said=verdict.said.value,
        at=iso(verdict.at),
        effect=verdict.effect,
        muted=sum(
            one.why is findings.SuppressionReason.FEEDBACK and one.because == episode.id for one in found.suppressed
        ),
    )
