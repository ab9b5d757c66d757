"""How sure a difference of two forecasters is: entities drawn again and again, with the same ones for both."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Float
from brownout.forecasting.series_rows import Rows
from brownout.numerics.losses import path_losses

DRAWS = 1000
Table = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of scaled losses ``[loss, entity, metric]`` (absolute, quantile) of a forecaster and of seasonal-naive."""

    ours: Table
    naive: Table

    def whole(self) -> Table:
        """MASE and CRPS over all entities and metrics; infinite where a forecast is."""
        return self.ratios(np.arange(self.ours.shape[1])[None])[:, 0]

    def ratios(self, entities: npt.NDArray[np.int64]) -> Table:
        """MASE and CRPS over drawn entities ``[draw, entity]``, geometric mean over the metrics: ``[loss, draw]``."""
        ours, naive = (table[:, entities].sum(axis=2) for table in (self.ours, self.naive))
        found: Table = np.exp(np.log(ours / naive).mean(axis=-1))
        return found


def sums(rows: Rows, made: Forecasts, naive: Forecasts, actual: Float, scale: Float) -> Sums:
    """Losses of rows in units of their series' ``scale [row]``, added up by entity and metric; flat series left out."""
    usable = np.isfinite(scale) & (scale > 0)
    weight = np.where(usable, 1 / np.where(usable, scale, 1), 0)
    shape = (len(rows.panel.entities), len(rows.panel.metrics))

    def table(forecasts: Forecasts) -> Table:
        losses = path_losses(forecasts.values, actual)
        added = np.zeros((2, *shape))
        for place, loss in enumerate((losses.absolute, losses.quantile)):
            np.add.at(added[place], (rows.entities, rows.metrics), loss * weight)
        return added

    return Sums(table(made), table(naive))


def deviations(one: Sums, other: Sums) -> tuple[Table, Table]:
    """Differences in MASE and CRPS of one forecaster from another, and their standard errors."""
    entities = one.ours.shape[1]
    drawn = np.random.default_rng(0).integers(0, entities, (DRAWS, entities))
    with np.errstate(invalid="ignore"):  # some forecasts are infinite
        error: Table = (one.ratios(drawn) - other.ratios(drawn)).std(axis=1, ddof=1)
    return one.whole() - other.whole(), error
