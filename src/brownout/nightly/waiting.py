"""What a night still waits for: which part has too little past to speak, and from when on it will."""

from collections.abc import Sequence

import numpy as np

from brownout.nightly.night_span import JUDGED_FROM, SAME_HOURS_FROM, NightSpan
from brownout.numerics.slots import days

__all__ = ["waiting_for"]

OUTLOOK_FROM = days(2)
"""An outlook reaches as far as half of the history: from here on it is of a day."""


def waiting_for(span: NightSpan, newcomers: Sequence[str] = ()) -> tuple[str, ...]:
    """Sentences for people, one for each part that waits; none once there is enough of the past.

    ``newcomers`` are entities whose own first day is not over, in a history that is older.
    """
    past = span.end - span.first
    found = []
    if past < JUDGED_FROM:
        found.append(
            f"Abnormal behaviour is searched for from {_clock(span.first + JUDGED_FROM)} on: the history is "
            f"{_hours(past)} h long, and a day is needed to compare with. Until then only crossed limits are told."
        )
    elif newcomers:
        found.append(
            f"{len(newcomers)} entities are less than a day old and judged by their like, or not at all: "
            f"{', '.join(sorted(newcomers)[:10])}."
        )
    if past < SAME_HOURS_FROM:
        found.append(
            "Incidents are compared with the same hours of earlier days from "
            f"{_clock(span.first + SAME_HOURS_FROM)} on."
        )
    if past < OUTLOOK_FROM:
        found.append(
            f"What fills up or leaks is forecast for days from {_clock(span.first + OUTLOOK_FROM)} on; until then the "
            "forecast reaches as far as half of the history."
        )
    return tuple(found)


def _clock(time: np.datetime64) -> str:
    return f"{str(time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _hours(span: np.timedelta64) -> str:
    return f"{span / np.timedelta64(3_600_000, 'ms'):.1f}"
