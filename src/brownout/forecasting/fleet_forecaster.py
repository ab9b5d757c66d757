"""A trained forecaster with a whole fleet at hand: every request gets its covariates and siblings from there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from brownout.domain.entities import EntityKind
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.selected_forecaster import SelectedForecaster

__all__ = ["FleetForecaster"]


@dataclass(frozen=True)
class FleetForecaster:
    """Forecasts consoles with the loads of their guests and hosts, and new entities with those like them."""

    forecaster: SelectedForecaster
    panels: Sequence[Panel]
    name: ClassVar[str] = "fleet"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress) -> Self:
        """Train the forecaster; the fleet stays as it is."""
        self.forecaster.fit(panels, progress)
        return self

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict with covariates and siblings from the fleet; those of the request do not count."""
        panel, covariates = request.panel, request.covariates[:0]
        if panel.entities and panel.entities[0].kind == EntityKind.CONSOLE:
            covariates = self.forecaster.covariates_ahead(panel, request.origins, self.panels, request.horizon)
        return self.forecaster.predict(replace(request, covariates=covariates, siblings=tuple(self.panels)))
