"""What a forecaster is asked for: a panel, origins and a horizon, and what else is known at these origins."""

from collections.abc import Sequence
from dataclasses import dataclass

from brownout.domain.errors import DataError
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel

__all__ = ["Covariate", "ForecastRequest"]


@dataclass(frozen=True, slots=True, eq=False)
class Covariate:
    """Entities beside a panel that explain its course, as a console's host does: what they measured and will measure.

    Attributes
    ----------
    panel
        Their measurements, on slots as wide as those of the panel that is forecast.
    forecasts
        Their forecasts from the origins of the request; None where they were not measured at any of them.
    """

    panel: Panel
    forecasts: Forecasts | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ForecastRequest:
    """All series of a panel that were measured by an origin, from each origin, so many slots ahead.

    Raises DataError where an origin lies outside of the panel or the horizon is not positive.

    Attributes
    ----------
    panel
        The measurements; nothing after an origin is read for its forecast.
    origins
        Indices of the last slot seen.
    horizon
        Number of slots to predict after each origin.
    covariates
        What is measured and forecast beside the panel; a forecaster that has no use for it ignores it.
    siblings
        Panels of similar entities, which stand in for the short past of new ones.
    measured
        The panel with the one-offs that it is without, by which chances know who crosses limits; None = it.
    worst
        The same with the worst moment of each slot, by which they know how often limits are crossed; None = it.
    """

    panel: Panel
    origins: Sequence[int]
    horizon: int
    covariates: tuple[Covariate, ...] = ()
    siblings: tuple[Panel, ...] = ()
    measured: Panel | None = None
    worst: Panel | None = None

    def __post_init__(self) -> None:
        slots = self.panel.values.shape[1]
        outside = [origin for origin in self.origins if not 0 <= origin < slots]
        if outside:
            msg = f"Origins {outside[:3]} lie outside of the {slots} slots of the panel."
            raise DataError(msg, remedy="Give origins from 0 to the last slot.")
        if self.horizon < 1:
            msg = f"A horizon of {self.horizon} slots was asked for."
            raise DataError(msg, remedy="Give a horizon of at least 1.")
