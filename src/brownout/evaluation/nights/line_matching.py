"""Which line of a nightly report answers for which incident: one line for one incident, the best fitting ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment

from brownout.evaluation.nights.labelled_truth import Labelled, NightTruth

__all__ = ["Pair", "Tolerance", "Verdict", "matched", "seconds_between"]

ENTITY, CAUSE, NEAR = 4.0, 2.0, 1.0
"""Worth of a right entity, a right cause and a near start when lines are matched; a match by place alone is worth 1."""


class Verdict(StrEnum):
    """What a line is: right, of an incident but misnamed, a second line of one, of a harmless event, or false."""

    RIGHT = "right"
    MISNAMED = "misnamed"
    EXTRA = "extra"
    HARMLESS = "harmless"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How exact times must be, in seconds.

    A line is of an incident when it starts at most ``before_s`` before it, and at most ``after_s`` after its end. An
    incident is due on a night that comes ``delay_s`` after its start or later, and at most ``report_s`` after its end.
    Whether it is open is not asked within ``after_s`` of its end.
    """

    before_s: float = 3600
    after_s: float = 1800
    delay_s: float = 1800
    report_s: float = 86_400

    def within(self, time: np.datetime64, start: np.datetime64, end: np.datetime64) -> bool:
        """Whether a line that starts at a time may be of something from start until end."""
        return seconds_between(time, start) <= self.before_s and seconds_between(end, time) <= self.after_s

    def due(self, label: Labelled, night: np.datetime64) -> bool:
        """Whether a night's report should tell of an incident."""
        known = seconds_between(label.incident.start, night) >= self.delay_s
        return known and (label.ongoing or seconds_between(label.incident.end, night) <= self.report_s)

    def over(self, label: Labelled, night: np.datetime64) -> bool | None:
        """Whether an incident is over on a night; None so near its end that nobody can say."""
        after = seconds_between(label.incident.end, night)
        if label.ongoing:
            return False
        return None if abs(after) <= self.after_s else after > 0


def seconds_between(earlier: np.datetime64, later: np.datetime64) -> float:
    """Seconds from one time to another; negative where it is the other way round."""
    return float((later - earlier) / np.timedelta64(1000, "ms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An incident and the line that answers for it."""

    label: Labelled
    line: int
    entity_right: bool
    cause_right: bool

    @property
    def right(self) -> bool:
        """Whether entity and cause are right."""
        return self.entity_right and self.cause_right


def matched(
    lines: pd.DataFrame,
    line_ids: npt.NDArray[np.int64],
    labels: Sequence[Labelled],
    truth: NightTruth,
    limits: Tolerance,
) -> list[Pair]:
    """The assignment of lines to incidents that is worth most; ``line_ids`` identify the lines in the result.

    A line may only answer for an incident of its own host, and only if its start fits.
    """
    worth = np.zeros((len(labels), len(lines)))
    starts = lines["start"].to_numpy("datetime64[ms]")
    names = list(zip(lines["entity"].astype(str), lines["cause"].astype(str), strict=True))
    for row, label in enumerate(labels):
        own = label.incident
        for column, (entity, cause) in enumerate(names):
            there = truth.root(entity) in label.roots or label.names(entity)
            if there and limits.within(starts[column], label.onset, own.end):
                off = abs(seconds_between(own.start, starts[column])) / 3600
                named = ENTITY * label.names(entity) + CAUSE * label.explains(cause)
                worth[row, column] = 1 + named + NEAR / (1 + off)
    rows, columns = linear_sum_assignment(-worth)
    return [
        Pair(
            label=labels[row],
            line=int(line_ids[column]),
            entity_right=labels[row].names(names[column][0]),
            cause_right=labels[row].explains(names[column][1]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if worth[row, column] > 0
    ]
