"""How a console feels to work at: one score from 0 to 100 by task, and where the milliseconds go."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from brownout.domain.encoding import Number

__all__ = ["EXPERIENCE_METRICS", "FAIR", "GOOD", "Band", "Experience", "band_of", "experience_of"]

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Band = Literal["good", "fair", "poor", "unknown"]
Task = Literal["typing", "scrolling", "video", ""]

GOOD, FAIR = 70.0, 40.0
"""Bands of Citrix's experience scores: from 70 good, from 40 fair, below poor."""
RESPONSE = ((100.0, 100.0), (150.0, GOOD), (1000.0, FAIR), (2000.0, 20.0), (5000.0, 0.0))
"""Milliseconds and their score, straight in the logarithm between: at 100 ms an answer feels instantaneous (Nielsen);
150 ms, 1 s, 2 s and 5 s end crisp, annoying at worst, annoying, and unacceptable (Tolia, Andersen, Satyanarayanan,
Computer 39(3), 2006)."""
FRAMES = ((0.0, 0.0), (25.0, GOOD), (30.0, 100.0))
"""Frames a second and their score: 30 are what is aimed at, below 25 it is noticed."""
STEADY = 5.0
"""A frame rate may vary by so many frames a second; what it varies more counts as frames that did not come."""
CONNECT, WAIT, UPDATE = "console_connect_ms", "console_mainloop_ms", "console_update_ms"
ECHO, RATE, SPREAD, FAILED = "console_echo_ms", "console_fps", "console_fps_stddev", "console_failed_pct"
EXPERIENCE_METRICS = (CONNECT, WAIT, UPDATE, ECHO, RATE, SPREAD, FAILED)
"""What the score is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """How it was to work at a console.

    Attributes
    ----------
    score
        The lowest of its tasks' scores, 0 to 100: from 70 good, from 40 fair, below poor; null where nothing was
        measured.
    task
        The task that it is the score of: typing, scrolling or video; empty where nothing was measured.
    typing
        By the time from a key to the changed screen, where keys are pressed in a prepared guest; else by that of an
        update.
    scrolling
        By the time of an update, and by the frame rate where it is measured: the lower one.
    video
        By the frame rate and how steady it is; null where it is not measured.
    network_ms
        Mean of a round trip to the hypervisor.
    hypervisor_ms
        Mean time that QEMU's main loop lets a console wait.
    guest_ms
        Mean time that the guest takes to answer a key; null where no keys are pressed.
    encoder_ms
        Mean rest of an update: refreshing, encoding and sending the picture.
    """

    score: Number = math.nan
    task: Task = ""
    typing: Number = math.nan
    scrolling: Number = math.nan
    video: Number = math.nan
    network_ms: Number = math.nan
    hypervisor_ms: Number = math.nan
    guest_ms: Number = math.nan
    encoder_ms: Number = math.nan

    @property
    def band(self) -> Band:
        """The band of its score."""
        return band_of(self.score)


def band_of(score: float) -> Band:
    """The band of a score."""
    if not math.isfinite(score):
        return "unknown"
    return "good" if score >= GOOD else "fair" if score >= FAIR else "poor"


def experience_of(samples: Mapping[str, Values]) -> Experience:
    """The experience of a span: means over its slots of the score of each, less attempts that failed.

    ``samples`` are values ``[slot]`` by name, of ``EXPERIENCE_METRICS`` those that there are; NaN = not measured.
    """
    slots = max((len(values) for values in samples.values()), default=0)
    of = {name: np.asarray(samples.get(name, np.full(slots, np.nan)), float) for name in EXPERIENCE_METRICS}
    responses = _response(of[UPDATE])
    keys = np.where(np.isfinite(of[ECHO]), _response(of[ECHO]), responses)
    frames = _between(of[RATE] - np.fmax(np.nan_to_num(of[SPREAD]) - STEADY, 0), FRAMES)
    tried = _mean(of[FAILED])
    opened = 1 - (tried if math.isfinite(tried) else 0.0) / 100
    scores: dict[Task, float] = {
        "typing": opened * _mean(keys),
        "scrolling": opened * _mean(np.fmin(responses, frames)) if np.isfinite(responses).any() else math.nan,
        "video": opened * _mean(frames),
    }
    known = {task: score for task, score in scores.items() if math.isfinite(score)}
    task: Task = min(known, key=lambda name: known[name], default="")
    network, wait, update = _mean(of[CONNECT]), _mean(of[WAIT]), _mean(of[UPDATE])
    both = np.isfinite(of[ECHO]) & np.isfinite(of[UPDATE])
    return Experience(
        score=known.get(task, math.nan),
        task=task,
        typing=scores["typing"],
        scrolling=scores["scrolling"],
        video=scores["video"],
        network_ms=network,
        hypervisor_ms=wait,
        guest_ms=_mean(np.maximum(of[ECHO] - of[UPDATE], 0)[both]),
        encoder_ms=max(update - float(np.nansum([network, wait])), 0.0) if math.isfinite(update) else math.nan,
    )


def _response(milliseconds: Values) -> Values:
    """The score of response times."""
    times = np.log([time for time, _ in RESPONSE])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.interp(np.log(milliseconds), times, [score for _, score in RESPONSE])


def _between(values: Values, line: tuple[tuple[float, float], ...]) -> Values:
    return np.interp(values, [x for x, _ in line], [y for _, y in line])


def _mean(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
