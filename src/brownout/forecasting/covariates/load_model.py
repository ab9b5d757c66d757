"""Load model: console latency from the forecasts of load, by learned responses, blended with the direct forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float, Panel
from brownout.forecasting.covariates.console_covariates import (
    ConsoleCovariates,
    Load,
    gather,
    is_latency,
    loads_in,
    measured_covariates,
)
from brownout.forecasting.covariates.load_paths import Contributions, follow, latency_of, log_latency
from brownout.forecasting.covariates.response import Response, learn_response
from brownout.forecasting.selection.calibration import Calibration, bands_of
from brownout.forecasting.series_rows import rows_of
from brownout.numerics.arrays import Index

__all__ = ["LoadModel", "Row", "mixed"]

MOST = 1_000_000
"""Slots of consoles that are enough to learn from: a thousand consoles for three weeks of half-hours."""
AT_MOST = 2.0
"""Factor by which what the loads say may differ from the LSTM's quantiles."""
PAST_DAYS = 7
"""Days before an origin that say how a console responds and what remains besides its loads."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Rows of one latency metric: consoles and origins ``[row]`` as indices into ``panel``, the metric's column."""

    panel: Panel
    column: int
    consoles: Index
    origins: Index

    @property
    def metric(self) -> str:
        """Name of the latency metric."""
        return self.panel.metric_names[self.column]


@dataclass(frozen=True)
class LoadModel:
    """How console latency depends on loads.

    Attributes
    ----------
    responses
        How latency responds to loads, by latency metric.
    weights
        Weight of the forecast by loads in the blend of each quarter of the horizon, by latency metric.
    calibration
        Of the blend.
    """

    responses: Mapping[str, Response] = field(default_factory=dict)
    weights: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=lambda: Calibration(1, {}))
    name: ClassVar[str] = "lstm with loads"

    @classmethod
    def learn(cls, panels: Sequence[Panel]) -> Self:
        """Responses from everything measured in the panels; consoles of all panels teach together."""
        loads = loads_in(panels)
        responses = {}
        chosen = _some(panels)
        for name in sorted({m.name for p in panels for m in p.metrics if is_latency(m, _kind(p))} if loads else ()):
            parts = [_training_data(panel, panels, loads, name) for panel in chosen if name in panel.metric_names]
            response = learn_response(loads, *_stacked(parts)) if parts else None
            if response is not None:
                responses[name] = response
        return cls(responses)

    def rows(self, panel: Panel, origins: Sequence[int]) -> list[tuple[Index, Row]]:
        """Rows of a forecast of the panel with a learned response, metric by metric, with their indices."""
        rows = rows_of(panel, origins)
        kind = _kind(panel)
        parts = []
        for column, metric in enumerate(panel.metrics):
            if metric.name in self.responses and is_latency(metric, kind):
                places = np.flatnonzero(rows.metrics == column)
                parts.append((places, Row(panel, column, rows.entities[places], rows.origins[places])))
        return [(places, row) for places, row in parts if len(places)]

    def contributions(self, row: Row, covariates: ConsoleCovariates) -> Contributions:
        """Latency and contributions of loads before the rows' origins, and those of the forecast loads."""
        response = self.responses[row.metric]
        slots = min(PAST_DAYS * row.panel.slots_per_day, row.panel.values.shape[1])
        window = row.origins[:, None] + np.arange(1 - slots, 1)
        latency = log_latency(row.panel.values[row.consoles[:, None], window, row.column])
        past = response.parts(covariates.measured(response.loads))[row.consoles[:, None], window]
        ahead = response.parts(covariates.forecast(response.loads))
        future = ahead[row.consoles, np.searchsorted(covariates.origins, row.origins)]
        nothing = np.float32(np.nan)
        latency, past = np.where(window >= 0, latency, nothing), np.where(window[..., None] >= 0, past, nothing)
        return Contributions(latency, past, future)

    def blended(
        self, forecasts: Forecasts, direct: tuple[Float, Float], covariates: ConsoleCovariates
    ) -> tuple[Float, Float]:
        """Calibrated values and outer quantiles, the ``direct`` ones blended in the rows of which a load is known."""
        values, outer = (part.copy() for part in direct)
        for places, row in self.rows(covariates.panel, covariates.origins):
            if row.metric in self.weights:
                followed = follow(self.responses[row.metric], self.contributions(row, covariates))
                blend = self.blend(forecasts, places, row.metric, latency_of(followed.values))
                loads = np.isfinite(covariates.forecast(self.responses[row.metric].loads))
                known = loads[row.consoles, np.searchsorted(covariates.origins, row.origins)].any(axis=(1, 2))
                values[places[known]] = self.calibration.apply(blend)[known]
                outer[places[known]] = self.calibration.outer(blend)[known]
        return values, outer

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """From JSON."""
        calibration = Calibration.of(facts["calibration"])
        responses = {name: Response.from_facts(table) for name, table in facts["responses"].items()}
        return cls(responses, {name: tuple(shares) for name, shares in facts["weights"].items()}, calibration)

    def blend(self, forecasts: Forecasts, places: Index, metric: str, followed: Float) -> Forecasts:
        """The rows at ``places`` of direct forecasts, blended; none of it is calibrated."""
        chosen = forecasts.rows(places.tolist())
        weight = np.array(self.weights[metric], np.float32)[bands_of(chosen.horizon, self.calibration.horizon)]
        return replace(chosen, values=mixed(chosen.values, followed, weight))


def mixed(direct: Float, followed: Float, weights: Float) -> Float:
    """Quantiles ``[row, step, quantile]`` averaged with ``weights [step]`` for those that follow the loads."""
    # A curve is a guess where a load was seen once only, as while a host swapped: its effect is bounded.
    bounded = np.clip(followed, direct / AT_MOST, direct * AT_MOST)
    blend: Float = (direct + (bounded - direct) * weights[:, None]).astype(np.float32)
    return blend


def _kind(panel: Panel) -> str:
    """Kind of the entities of a panel: a shard holds one only."""
    return panel.entities[0].kind if panel.entities else ""


def _some(panels: Sequence[Panel]) -> list[Panel]:
    """Panels of consoles; of more than are needed to learn from, every n-th console."""
    consoles = [panel for panel in panels if _kind(panel) == EntityKind.CONSOLE]
    slots = sum(len(panel.entities) * panel.values.shape[1] for panel in consoles)
    every = max(slots // MOST, 1)
    return [panel.select(entities=range(0, len(panel.entities), every)) for panel in consoles]


def _training_data(panel: Panel, panels: Sequence[Panel], loads: Sequence[Load], metric: str) -> tuple[Float, Float]:
    """Loads ``[console, slot, load]`` and log latency ``[console, slot]`` of a panel of consoles."""
    values = gather(panel.entities, measured_covariates(panel, panels), loads, panel.times)
    return values, log_latency(panel.values[..., panel.metric_names.index(metric)])


def _stacked(parts: Sequence[tuple[Float, Float]]) -> tuple[Float, Float]:
    """Rows of all panels, each filled with NaN to the length of the longest."""
    longest = max(latency.shape[1] for _, latency in parts)
    short = [longest - latency.shape[1] for _, latency in parts]
    values = [
        np.pad(v, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
        for (v, _), more in zip(parts, short, strict=True)
    ]
    latency = [
        np.pad(y, ((0, 0), (0, more)), constant_values=np.nan) for (_, y), more in zip(parts, short, strict=True)
    ]
    return np.concatenate(values), np.concatenate(latency)
