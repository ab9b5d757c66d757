"""Replay: consecutive nights of a data set as they ship, each blind to what came later, each with the last one's state.

Each night is ``brownout.nightly.run``; nothing of it is repeated here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.domain.calendar import Calendar
from brownout.domain.errors import HistoryError
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.effects.alert_state_file import read_alert_state, write_alert_state
from brownout.nightly.effects.trained_models import load_models, train_detector, train_forecaster
from brownout.nightly.night_span import LEARNED_SHARE, NightSpan
from brownout.nightly.run import NightResult, run
from brownout.nightly.training.train import fit_detector
from brownout.numerics.slots import days
from brownout.settings import Settings
from brownout.store.as_of import StoreAsOf
from brownout.store.workspace import Workspace

__all__ = [
    "NIGHTS",
    "Replayed",
    "context_at",
    "end_of",
    "models_of",
    "night_times",
    "nights_of",
    "replay",
    "replay_nights",
]

NIGHTS = 7
"""Nights that are replayed where nobody says how many."""
DAY = days(1)


def nights_of(store: SampleStore, settings: Settings, first: np.datetime64 | None) -> Iterator[NightSpan]:
    """Windows that follow each other from ``first`` on, else from where the learned share of the data ends."""
    whole = NightSpan.of(store, settings)
    window = whole.first + (whole.end - whole.first) * LEARNED_SHARE if first is None else first
    while window < whole.end:
        end = min(window + days(settings.detect.window_days), whole.end)
        yield NightSpan(first=whole.first, window=window, end=end)
        window = end


def end_of(store: SampleStore) -> np.datetime64:
    """Just after the slot in which the samples end at half of the entities: clocks that run ahead move no night.

    Raises HistoryError where there are no samples.
    """
    spans = list(store.spans().values())
    if not spans:
        raise HistoryError(f"{store.name} has no samples.", remedy="Give a data set or a history that has some.")
    lasts = np.sort(np.array([span.last for span in spans], "datetime64[ms]"))
    step = np.timedelta64((store.interval_s or min(span.interval_s for span in spans)) * 1000, "ms")
    zero = np.datetime64(0, "ms")
    end: np.datetime64 = zero + ((lasts[len(lasts) // 2] - zero) // step + 1) * step
    return end


def night_times(
    store: SampleStore, *, number: int | None = None, first: np.datetime64 | None = None
) -> tuple[np.datetime64, ...]:
    """Times of nights, a day apart: from ``first`` on, else the last ones of the data, each with a day before it."""
    end = end_of(store)
    if first is None:
        earliest = min(span.first for span in store.spans().values()) + DAY
        wanted = number or NIGHTS
        times = [end - back * DAY for back in range(wanted - 1, -1, -1)]
        return tuple(time for time in times if time >= earliest) or (end,)
    count = int((end - first) // DAY) + 1
    return tuple(first + night * DAY for night in range(count if number is None else min(number, count)))


def replay(  # noqa: PLR0913 - each is something that a night reads
    store: SampleStore,
    settings: Settings,
    spans: Sequence[NightSpan],
    *,
    calendar: Calendar | None = None,
    late_s: float = 0.0,
    progress: Progress = no_progress,
) -> Iterator[NightResult]:
    """Run one night after the other with a detector of its own and without forecasts, each on the span given.

    ``late_s`` pretends that each episode was noticed so many seconds later.
    """
    state = AlertState()
    for done, span in enumerate(spans):
        context = context_at(store, settings, span.end, calendar=calendar, state=state, keep_points=True)
        context = replace(context, span=span, late_s=late_s)
        result = run(context.with_models(NightModels(detector=fit_detector(context))))
        state = AlertState.after(result.night)
        progress("nights", (done + 1) / len(spans))
        yield result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """A night that was replayed: when, the context with its models, and what it found."""

    time: np.datetime64
    context: NightContext
    result: NightResult


def replay_nights(
    store: SampleStore,
    settings: Settings,
    times: Sequence[np.datetime64],
    *,
    calendar: Calendar | None = None,
    progress: Progress = no_progress,
) -> Iterator[Replayed]:
    """Run the nights of some times as they ship: forecasts and all, with the models and the state of the night before.

    Models are trained when a night would train them; they and the state go through a folder, as they do there.
    """
    with TemporaryDirectory(prefix="brownout-replay-") as folder:
        workspace = Workspace(Path(folder))
        for done, time in enumerate(times):
            context = context_at(store, settings, time, calendar=calendar, state=read_alert_state(workspace))
            own_progress = partial(_share_of, progress, done, len(times))
            context = context.with_models(models_of(context, workspace, own_progress))
            result = run(context, progress=own_progress)
            write_alert_state(workspace, result.night)
            yield Replayed(time=time, context=context, result=result)


def models_of(context: NightContext, workspace: Workspace, progress: Progress = no_progress) -> NightModels:
    """The models of a night, trained in a folder where that is due."""
    train_forecaster(context, workspace, progress, only_if_due=True)
    train_detector(context, workspace, progress, only_if_due=True)
    return load_models(workspace)


def context_at(  # noqa: PLR0913 - each is something that a night reads
    store: SampleStore,
    settings: Settings,
    time: np.datetime64,
    *,
    calendar: Calendar | None = None,
    state: AlertState | None = None,
    keep_points: bool = False,
) -> NightContext:
    """What the night of a time reads: nothing that was measured later."""
    return NightContext.build(
        StoreAsOf(store, time), settings, created=time, at=time, calendar=calendar, state=state, keep_points=keep_points
    )


def _share_of(progress: Progress, done: int, total: int, stage: str, share: float) -> None:
    """Progress of one night of several."""
    progress(f"night {done + 1} of {total}: {stage}", share)
