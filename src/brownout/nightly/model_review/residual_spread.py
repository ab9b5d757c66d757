"""Residuals of forecasts by resource and quarter of the horizon, beside what the forecasts said of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.findings.model_cards import ResidualSpread
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.numerics.arrays import Doubles

__all__ = ["Residuals"]

QUARTERS = 4
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
FEW = 20
"""Residuals below which quantiles say nothing."""
LOW, MIDDLE, HIGH = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))


@dataclass(slots=True)
class Residuals:
    """Collects residuals; ``_parts`` has ``[value, (residual, low end, high end)]`` by resource and quarter."""

    _parts: dict[tuple[str, int], list[Doubles]] = field(default_factory=dict)

    def add(self, forecasts: Forecasts, actual: np.ndarray, scale: np.ndarray, families: Mapping[str, str]) -> None:
        """Add forecasts and what came ``[row, step]``, in units of a scale ``[row]``; flat series count nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = np.where(scale > 0, scale, np.nan)[:, None]
            middle = forecasts.values[..., MIDDLE]
            columns = [
                (part - middle) / unit for part in (actual, forecasts.values[..., LOW], forecasts.values[..., HIGH])
            ]
        stacked = np.stack(columns, axis=-1).astype(np.float64)
        of_row = np.array([families[series.metric] for series in forecasts.series], str)
        for number, steps in enumerate(np.array_split(np.arange(stacked.shape[1]), QUARTERS), 1):
            for family in np.unique(of_row):
                values = stacked[np.ix_(of_row == family, steps)].reshape(-1, 3)
                self._parts.setdefault((str(family), number), []).append(values[np.isfinite(values).all(axis=1)])

    def spreads(self) -> tuple[ResidualSpread, ...]:
        """Of each resource and quarter of which enough was measured."""
        joined = {key: np.concatenate(parts) for key, parts in sorted(self._parts.items())}
        return tuple(_spread(*key, values) for key, values in joined.items() if len(values) >= FEW)


def _spread(family: str, quarter: int, values: Doubles) -> ResidualSpread:
    q10, q25, middle, q75, q90 = np.quantile(values[:, 0], LEVELS).tolist()
    low, high = np.median(values[:, 1:], axis=0).tolist()
    return ResidualSpread(
        family=family, quarter=quarter, values=len(values), q10=q10, q25=q25, middle=middle, q75=q75, q90=q90,
        told_q10=low, told_q90=high,
    )  # fmt: skip
