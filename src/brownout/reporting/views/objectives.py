"""Service level objectives of consoles: what was promised, what came, and how quickly the error budget burns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from brownout.domain.encoding import Number
from brownout.domain.findings.experience import GOOD
from brownout.domain.findings.service_levels import BURN_WINDOWS_S, ConsoleService
from brownout.domain.night import Night

__all__ = ["BurnRate", "Objective", "objectives_of"]

MEAN_MS, AVAILABLE, FRAMES = 100.0, 0.999, 25.0
"""Targets: mean latency, share of attempts that open a console within five seconds, frames a second."""
Name = Literal["mean", "baseline", "availability", "frame_rate", "experience"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """How quickly the error budget of availability burns; 1 uses it up exactly in its period.

    Attributes
    ----------
    long_s
        Seconds of the long window.
    short_s
        Seconds of the short one, which says whether it still burns; 0 without one.
    long
        Burn rate of the long window.
    short
        Burn rate of the short one; null without one.
    threshold
        From where on somebody is told, when both are beyond it.
    burning
        Whether both are.
    """

    long_s: int
    short_s: int
    long: Number
    short: Number | None
    threshold: Number
    burning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A service level objective over all consoles.

    Attributes
    ----------
    name
        mean: of the latency over a day; baseline: of the last half hour; availability: attempts that opened a console;
        frame_rate: median over a day; experience: the score of each console over a day.
    target
        What was promised; null where nothing is.
    unit
        Unit of target and value.
    value
        What came: the median over the consoles, of availability their mean; null where it was not measured.
    met
        Consoles that keep to it.
    measured
        Consoles that were measured.
    kept
        Whether all of them keep to it; null where none was measured.
    worst
        The console that is furthest from it; empty where none was measured.
    worst_value
        And its value.
    burn_rates
        Of availability only.
    """

    name: Name
    target: Number | None
    unit: str
    value: Number | None
    met: int
    measured: int
    kept: bool | None
    worst: str
    worst_value: Number | None
    burn_rates: tuple[BurnRate, ...] = ()


def objectives_of(night: Night) -> tuple[Objective, ...]:
    """All objectives; none for a fleet without consoles that are measured."""
    services = night.services
    if not services:
        return ()
    now = {console.series.entity: (console.now, console.limit) for console in night.consoles}
    limit = next((limit for _, limit in now.values() if limit is not None), None)
    baseline = {console: level for console, (level, _) in now.items()}
    tried = [service for service in services if service.failed]
    available = {service.console: 1 - service.failed[-1] for service in tried}
    return (
        _objective("mean", {s.console: s.mean_ms for s in services}, MEAN_MS, "ms"),
        _objective("baseline", baseline, limit, "ms"),
        _objective("availability", available, AVAILABLE, "", above=True, burn_rates=_burn_rates(tried)),
        _objective("frame_rate", {s.console: s.frames_per_s for s in services}, FRAMES, "1/s", above=True),
        _objective("experience", {s.console: s.experience.score for s in services}, GOOD, "", above=True),
    )


def _objective(  # noqa: PLR0913 - what was promised, and what came
    name: Name,
    values: dict[str, float],
    target: float | None,
    unit: str,
    *,
    above: bool = False,
    burn_rates: tuple[BurnRate, ...] = (),
) -> Objective:
    """An objective from its value at each console; ``above`` where more is better."""
    known = {console: value for console, value in values.items() if math.isfinite(value)}
    worst = (min if above else max)(known, key=lambda console: (known[console], console), default="")
    met = 0 if target is None else sum((value >= target) if above else (value <= target) for value in known.values())
    over = np.mean if name == "availability" else np.median
    return Objective(
        name=name,
        target=target,
        unit=unit,
        value=float(over(list(known.values()))) if known else None,
        met=met,
        measured=len(known),
        kept=met == len(known) if known and target is not None else None,
        worst=worst,
        worst_value=known.get(worst),
        burn_rates=burn_rates if known else (),
    )


def _burn_rates(services: Sequence[ConsoleService]) -> tuple[BurnRate, ...]:
    """Pairs of windows and their thresholds as in Google's SRE workbook, over all consoles together."""
    shares = {
        window: [s.failed[index] for s in services if math.isfinite(s.failed[index])]
        for index, window in enumerate(BURN_WINDOWS_S)
    }
    rates = {w: float(np.mean(part)) / (1 - AVAILABLE) if part else math.nan for w, part in shares.items()}
    five, thirty, hour, six, days = BURN_WINDOWS_S
    return tuple(
        BurnRate(
            long_s=long,
            short_s=short,
            long=rates[long],
            short=rates[short] if short else None,
            threshold=threshold,
            burning=rates[long] >= threshold and (not short or rates[short] >= threshold),
        )
        for long, short, threshold in ((hour, five, 14.4), (six, thirty, 6.0), (days, 0, 1.0))
    )
