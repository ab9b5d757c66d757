"""What a forecaster learned from, small enough to lie beside it: values by day of the week, and losses by entity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.errors import ModelError
from brownout.domain.panel import Panel
from brownout.numerics.arrays import Doubles
from brownout.store.atomic import atomic_path

__all__ = ["DriftReference", "values_by_weekday"]

INPUTS, LOSSES = "drift_inputs.parquet", "drift_losses.parquet"
POINTS = (np.arange(12) + 0.5) / 12
"""Quantiles that are kept of a metric of an entity on one day of the week."""
FIRST_MONDAY = np.datetime64("1970-01-05")

Key = tuple[str, str, str]
"""Kind, entity and metric."""


def values_by_weekday(panel: Panel) -> dict[Key, dict[int, Doubles]]:
    """Measured values of each series by day of the week (Monday is 0), in UTC."""
    weekday = ((panel.times - FIRST_MONDAY) // np.timedelta64(1, "D")).astype(np.int64) % 7
    values_of_series: dict[Key, dict[int, Doubles]] = {}
    for row, entity in enumerate(panel.entities):
        for column, metric in enumerate(panel.metric_names):
            values = panel.values[row, :, column].astype(np.float64)
            measured = np.isfinite(values)
            days = {int(day): values[measured & (weekday == day)] for day in np.unique(weekday[measured])}
            if days:
                values_of_series[entity.kind, entity.id, metric] = days
    return values_of_series


@dataclass(frozen=True, slots=True, eq=False)
class DriftReference:
    """What drift is measured from.

    Attributes
    ----------
    inputs
        By kind, entity and metric: twelve quantiles of each day of the week.
    losses
        By resource and entity: loss as a ratio to that of seasonal-naive and coverage of the 80 % interval, on windows
        kept from training.
    """

    inputs: Mapping[Key, Mapping[int, Doubles]] = field(default_factory=dict)
    losses: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, panels: Sequence[Panel], losses: Mapping[tuple[str, str], tuple[float, float]]) -> Self:
        """What panels of a training hold, and how well their windows were forecast."""
        inputs = {
            key: {day: np.quantile(values, POINTS) for day, values in by_day.items()}
            for panel in panels
            for key, by_day in values_by_weekday(panel).items()
        }
        return cls(inputs, losses)

    def write(self, folder: Path) -> None:
        """Write both tables into the folder of a model."""
        rows = [(*key, day, *values) for key, by_day in self.inputs.items() for day, values in by_day.items()]
        names = ["kind", "entity", "metric", "weekday", *(f"p{index}" for index in range(len(POINTS)))]
        texts, numbers = [pa.string()] * 3 + [pa.int8()], [pa.float32()] * len(POINTS)
        _write(folder / INPUTS, rows, pa.schema(list(zip(names, [*texts, *numbers], strict=True))))
        losses = [(*key, *pair) for key, pair in self.losses.items()]
        types = [pa.string(), pa.string(), pa.float64(), pa.float64()]
        _write(
            folder / LOSSES, losses, pa.schema(list(zip(["family", "entity", "loss", "coverage"], types, strict=True)))
        )

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read both tables; None where a model has none (of an earlier release), ModelError where they are damaged."""
        if not (folder / INPUTS).exists():
            return None
        try:
            inputs, losses = (pq.read_table(folder / name).to_pylist() for name in (INPUTS, LOSSES))
            table: dict[Key, dict[int, Doubles]] = {}
            for row in inputs:
                points = np.array([row[f"p{index}"] for index in range(len(POINTS))], np.float64)
                table.setdefault((row["kind"], row["entity"], row["metric"]), {})[row["weekday"]] = points
            pairs = {(row["family"], row["entity"]): (row["loss"], row["coverage"]) for row in losses}
        except (OSError, KeyError, pa.ArrowException) as error:
            msg = f"What drift is measured from in {folder} cannot be read: {error}."
            raise ModelError(msg, remedy="Train again.") from error
        return cls(table, pairs)


def _write(path: Path, rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), part)
