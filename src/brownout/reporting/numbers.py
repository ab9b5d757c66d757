"""How a report writes times and numbers, in its language."""

import math
from datetime import UTC, datetime

import numpy as np

from brownout.reporting.messages import Language

__all__ = ["clock", "date", "figure", "iso", "percent", "span"]

NOTHING = "–"
WEEKDAYS = "一二三四五六日"


def iso(time: str | np.datetime64) -> str:
    """A time as ISO 8601 in UTC."""
    return time if isinstance(time, str) else f"{time.astype('datetime64[s]')}Z"


def clock(time: str | np.datetime64 | None, language: Language = "en") -> str:
    """A time for people: ``Tue 17 Mar 04:30``."""
    if time is None:
        return NOTHING
    moment = datetime.fromisoformat(iso(time)).astimezone(UTC)
    if language == "zh":
        return f"{moment.month}月{moment.day}日 周{WEEKDAYS[moment.weekday()]} {moment:%H:%M}"
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def date(time: str | None, language: Language = "en") -> str:
    """A day for people, with its year: ``12 Feb 2027``."""
    if time is None:
        return NOTHING
    moment = datetime.fromisoformat(iso(time)).astimezone(UTC)
    return f"{moment.year}年{moment.month}月{moment.day}日" if language == "zh" else f"{moment.day} {moment:%b %Y}"


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


def span(seconds: float, language: Language = "en") -> str:
    """A duration for people: ``35 min``, ``4 h 30 min``, ``3 d 2 h``."""
    day, hour, minute = ("天", "小时", "分钟") if language == "zh" else ("d", "h", "min")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} {minute}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} {hour} {minutes} {minute}" if minutes else f"{hours} {hour}"
    days, hours = divmod(hours, 24)
    return f"{days} {day} {hours} {hour}" if hours else f"{days} {day}"
