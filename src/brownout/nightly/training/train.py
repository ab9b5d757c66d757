"""Training of a night: the forecaster with its outlook, and the detector, each from the history before the night."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.parts import ForecastParts
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.context import NightContext
from brownout.nightly.night_span import JUDGED_FROM
from brownout.nightly.one_off_spans import left_out_share, one_offs, usual_forecast_panel
from brownout.nightly.panels import forecast_panel, outlook_panel, outlook_steps, worst_panel
from brownout.nightly.training.training_sample import evenly_by_kind, families
from brownout.numerics.slots import days
from brownout.settings import ForecastSettings
from brownout.store.memory import release_memory
from brownout.store.shards import plan_shards, read_shard

__all__ = [
    "FittedForecaster",
    "detector_window",
    "fit_detector",
    "fit_forecaster",
    "forecaster_window",
    "lstm_settings",
]

ENTITIES_A_KIND = 64
"""A forest sees at most 40,000 rows and boundaries 200,000: so many entities, evenly chosen, have more than enough."""
ENTITIES_FORECAST = 320
"""Entities that a forecaster learns from: their series have the windows that it trains on and is chosen by."""

Window = tuple[np.datetime64, np.datetime64]
Observer = Callable[[Panel], object]
"""Told of each panel that is learned from."""


def ignore(_panel: Panel) -> None:
    """Look at nothing."""


def lstm_settings(settings: ForecastSettings, seed: int) -> LstmSettings:
    """The size of the network and its training, as the settings of a night say."""
    return LstmSettings.quick(
        context=max(round(settings.context_days * 1440 / settings.step_minutes), 1),
        horizon=settings.steps,
        steps=settings.train_steps,
        seed=seed,
    )


def forecaster_window(context: NightContext) -> Window:
    """What the forecaster learns from: the last ``forecast.train_days``."""
    span = context.span
    return max(span.first, span.end - days(context.settings.forecast.train_days)), span.end


def detector_window(context: NightContext) -> Window:
    """What the detector learns from: the last ``detect.train_days`` before the window that it will search."""
    span = context.span
    return max(span.first, span.window - days(context.settings.detect.train_days)), span.window


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedForecaster:
    """What a training of the forecaster made; ``left_out`` is the share of the values that it did not learn from.

    These are one-offs, incidents that are over and do not return, and what was measured in maintenance.
    """

    forecaster: SelectedForecaster
    outlook: Outlook
    left_out: float


def fit_forecaster(
    context: NightContext,
    champion: SelectedForecaster | None = None,
    progress: Progress = no_progress,
    *,
    observe: Observer = ignore,
) -> FittedForecaster:
    """Train the network, choose between it and the baselines, and learn the outlook.

    A ``champion`` of the same shape is where the training starts from; ``observe`` is shown what is learned from.
    """
    settings = context.settings.forecast
    parts = ForecastParts.without(settings.without)
    panels, measured, left_out = _usual_panels(context, parts)
    for panel in panels:
        observe(panel)
    shape = lstm_settings(settings, context.settings.seed)
    forecaster = SelectedForecaster(shape, parts=parts).fit(panels, progress, champion=champion, measured=measured)
    outlook = Outlook(outlook_steps(settings), parts)
    outlook = outlook.fit([outlook_panel(panel, settings) for panel in panels], progress)
    return FittedForecaster(forecaster=forecaster, outlook=outlook, left_out=left_out)


def _usual_panels(context: NightContext, parts: ForecastParts) -> tuple[list[Panel], list[Panel], float]:
    """What the forecaster learns from, the same with its one-offs, and the share of the measured that is left out.

    Maintenance is in neither; of the second the worst five minutes of each slot count, as limits are crossed by those.
    """
    start, end = forecaster_window(context)
    once, panels, measured, counts = one_offs(context), list[Panel](), list[Panel](), np.zeros(2)
    lately = (name for name, span in context.store.spans().items() if span.last >= start and span.first < end)
    chosen = families(context.topology, lately, ENTITIES_FORECAST)
    for plan in plan_shards(context.store, size=context.settings.shard_size, start=start, end=end, entities=chosen):
        whole = read_shard(context.store, plan).panel
        outside = context.calendar.without(whole, context.topology)
        usual = usual_forecast_panel(context, outside, parts, once)
        if usual.values.shape[1] > 1 and len(usual.metrics):
            panels.append(usual)
            measured.append(worst_panel(outside, context.settings.forecast))
            counts += left_out_share(forecast_panel(whole, context.settings.forecast), usual)
        del whole, outside
        release_memory()
    return panels, measured, float(counts[0] / max(counts[1], 1))


def fit_detector(
    context: NightContext, progress: Progress = no_progress, *, observe: Observer = ignore
) -> IsolationForestDetector:
    """Learn what is usual from what lies before the window of the night, but for the incidents that the last one told.

    Within the first day of a history there is nothing to compare with: the detector waits.
    """
    start, end = detector_window(context)
    settings = DetectorSettings(seed=context.settings.seed)
    if context.span.end - context.span.first < JUDGED_FROM:
        return IsolationForestDetector(settings).wait()
    every = plan_shards(context.store, size=context.settings.shard_size, start=start, end=end)
    plans = evenly_by_kind(every, ENTITIES_A_KIND)

    def panels() -> Iterator[Panel]:
        for done, plan in enumerate(plans):
            panel = context.usual_panel(plan)
            observe(panel)
            yield panel
            del panel
            release_memory()
            progress("train the detector", (done + 1) / len(plans))

    known = [episode for episode in context.state.known if episode.id in context.state.alarmed]
    incidents: dict[str, list[Window]] = {}
    for episode in known:
        incidents.setdefault(episode.entity, []).append((episode.start, episode.end))
    return IsolationForestDetector(settings).fit(panels(), incidents)
