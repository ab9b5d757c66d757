"""Precedents of raised rules: for how long each was raised on earlier days, at any entity, and in an episode.

A rule says that a line is crossed; how often its line is crossed for as long on days without an incident differs from
fleet to fleet, and grows with the number of entities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.detection.episodes.threshold_rules import Rule, RuleState, rule_states
from brownout.domain.findings import Episode
from brownout.domain.panel import Panel
from brownout.numerics.rolling import rolling_sum
from brownout.numerics.slots import DAY_S, HOUR_S, days, nearest_slots

__all__ = ["RulePrecedents", "pooled_precedents", "rule_precedents"]

SPAN_S = 4 * HOUR_S
"""Raised times are summed over so long: a rule that comes and goes is raised as long as one that stays."""
SAMPLE = 32
"""Entities of a shard that stand for all of it, evenly chosen."""
FIRST_DAYS = 2
"""Days at the start of what is known on which nobody knows well what is usual."""
LEAST_DAYS = 3
"""Days of which one is left out from which on a rate is told."""

Peaks = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePrecedents:
    """For how long rules were raised.

    Attributes
    ----------
    held
        Seconds for which a rule was raised within four hours, at most, by episode id and rule.
    peaks
        The same by rule for each ``[entity, day]``; NaN where it was not measured. The last day ends with the data.
    weights
        By rule, how many entities each row stands for.
    days_back
        The days of ``peaks``, counted back from the end of the data, that each episode lies on: first and last one.
    """

    held: Mapping[tuple[str, str], float] = field(default_factory=dict)
    peaks: Mapping[str, Peaks] = field(default_factory=dict)
    weights: Mapping[str, Peaks] = field(default_factory=dict)
    days_back: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def per_day(self, episode: str, rule: str) -> float:
        """At how many entities of the fleet a day a rule is raised for as long as in an episode, on other days.

        The day on which that is most often is left out: a fault of a whole site is no precedent. 0 where too few days
        are known.
        """
        seconds = self.held.get((episode, rule), 0.0)
        peaks = self.peaks.get(rule)
        if peaks is None or not seconds:
            return 0.0
        known, weights = np.isfinite(peaks), self.weights[rule][:, None]
        first, last = self.days_back[episode]
        apart = np.arange(peaks.shape[1])[::-1]
        other = known.any(axis=0) & ((apart > first) | (apart < last))
        if other.sum() < LEAST_DAYS:
            return 0.0
        often = (weights * (np.nan_to_num(peaks) >= seconds))[:, other].sum(axis=0)
        share = np.sort(often / (weights * known)[:, other].sum(axis=0))[:-1]
        return float(share.mean() * weights.sum())


def rule_precedents(episodes: Sequence[Episode], panel: Panel, rules: Sequence[Rule]) -> RulePrecedents:
    """Precedents of the rules that are raised in some episodes of a shard; ``panel`` holds it, and the days before."""
    raised = {name for episode in episodes for name in episode.rules}
    rows = {entity: row for row, entity in enumerate(panel.entity_ids)}
    sampled = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)) if rows else np.arange(0)
    held: dict[tuple[str, str], float] = {}
    peaks: dict[str, Peaks] = {}
    for rule in (rule for rule in rules if rule.id in raised):
        own = [episode for episode in episodes if rule.id in episode.rules]
        chosen = sorted({*sampled.tolist(), *(rows[episode.entity] for episode in own)})
        seconds = _seconds_raised(rule, panel.select(entities=chosen))
        if seconds is None:
            continue
        for episode in own:
            first, last = (min(max(panel.slot(t), 0), seconds.shape[1] - 1) for t in (episode.start, episode.end))
            span = seconds[chosen.index(rows[episode.entity]), first : max(last, first + 1)]
            held[episode.id, rule.id] = float(np.max(span, where=np.isfinite(span), initial=0.0))
        of_days = _by_day(seconds[[chosen.index(row) for row in sampled.tolist()]], panel)
        peaks[rule.id] = of_days[np.isfinite(of_days).any(axis=1)]
    weight = len(rows) / max(len(sampled), 1)
    return RulePrecedents(
        held=held,
        peaks=peaks,
        weights={name: np.full(len(found), weight) for name, found in peaks.items()},
        days_back={episode.id: _days_back(episode, panel.end) for episode in episodes if episode.rules},
    )


def pooled_precedents(parts: Sequence[RulePrecedents]) -> RulePrecedents:
    """Precedents of all shards, of which the data end at one time."""
    names = {name for part in parts for name in part.peaks}
    width = max((peaks.shape[1] for part in parts for peaks in part.peaks.values()), default=0)
    return RulePrecedents(
        held={key: seconds for part in parts for key, seconds in part.held.items()},
        peaks={
            name: np.concatenate([_padded(part.peaks[name], width) for part in parts if name in part.peaks])
            for name in sorted(names)
        },
        weights={
            name: np.concatenate([part.weights[name] for part in parts if name in part.peaks]) for name in sorted(names)
        },
        days_back={name: span for part in parts for name, span in part.days_back.items()},
    )


def _seconds_raised(rule: Rule, panel: Panel) -> Peaks | None:
    """Seconds for which a rule was raised within the hours before each slot ``[entity, time]``; NaN where unknown."""
    states = rule_states(rule, panel)
    if states is None:
        return None
    raised = rolling_sum(states == RuleState.RAISED, nearest_slots(SPAN_S, panel.interval_s)) * panel.interval_s
    return np.where(states == RuleState.UNKNOWN, np.nan, raised)


def _by_day(seconds: Peaks, panel: Panel) -> Peaks:
    """The highest value of each whole day ``[entity, day]``, counted back from the end, without the first ones."""
    width = nearest_slots(DAY_S, panel.interval_s)
    whole = max(seconds.shape[1] // width - FIRST_DAYS, 0)
    if not whole:
        return np.full((len(seconds), 0), np.nan)
    blocks = seconds[:, -whole * width :].reshape(len(seconds), whole, width)
    known = np.isfinite(blocks).any(axis=2)
    return np.where(known, np.nan_to_num(blocks, nan=-1.0).max(axis=2), np.nan)


def _days_back(episode: Episode, end: np.datetime64) -> tuple[int, int]:
    """Days, counted back from an end, that an episode lies on: its first and its last one."""
    first, last = (int((end - time) / days(1)) for time in (episode.start, episode.end))
    return first, max(last, 0)


def _padded(peaks: Peaks, width: int) -> Peaks:
    """Peaks with days before the first one, of which nothing is known."""
    return np.pad(peaks, ((0, 0), (width - peaks.shape[1], 0)), constant_values=np.nan)
