"""How a report writes times and numbers."""

import math
from datetime import UTC, datetime

import numpy as np

__all__ = ["clock", "figure", "percent", "span"]

NOTHING = "–"


def clock(time: str | np.datetime64 | None) -> str:
    """A time for people: ``Tue 17 Mar 04:30``."""
    if time is None:
        return NOTHING
    text = time if isinstance(time, str) else f"{time.astype('datetime64[s]')}Z"
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def figure(value: float | None, unit: str = "") -> str:
    """A number for people with its unit: three significant digits, no exponent."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 else f"{value:.3g}" if size >= 0.001 else "0"
    return f"{text} {unit}".strip()


def percent(share: float | None) -> str:
    """A share as a percentage that never says 0 % or 100 % of what is not certain."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def span(seconds: float) -> str:
    """A duration for people: ``35 min``, ``4 h 30 min``, ``3 d 2 h``."""
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
