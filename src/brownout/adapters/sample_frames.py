"""Long data frames of samples, as an analyst has them, as panels: time, entity, perhaps kind, a column for a metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.domain.ports import Span
from brownout.ingest.spans import spans_of
from brownout.store.shards import shards

__all__ = ["panels_of"]


@dataclass(frozen=True, eq=False)
class FrameStore:
    """Samples in memory, read like those on disk: cleaned and put on a grid by the same code."""

    table: pa.Table
    metrics: tuple[Metric, ...]
    topology: Topology
    interval_s: int | None = None
    name: str = "samples"

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured."""
        return spans_of(self.table, self.interval_s)

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities, from start until before end."""
        samples = self.table.filter(pc.is_in(self.table["entity"], pa.array(list(entities), pa.string())))
        for bound, holds in ((start, pc.greater_equal), (end, pc.less)):
            if bound is not None:
                samples = samples.filter(
                    holds(samples["time"], pa.scalar(bound.astype("datetime64[ms]"), pa.timestamp("ms")))
                )
        return samples


def panels_of(frame: pd.DataFrame, metrics: Sequence[Metric]) -> list[Panel]:
    """A panel for the entities of each kind; raises DataError where a column is missing or nothing was measured.

    Without a column ``kind`` an entity is of the first kind that carries one of its metrics.
    """
    missing = [name for name in ("time", "entity") if name not in frame]
    if missing:
        msg = f"The samples have the columns {list(map(str, frame.columns))}, but not {', '.join(missing)}."
        raise DataError(msg, remedy="Give time (UTC), entity and a column for each metric.")
    known = tuple(metric for metric in metrics if metric.name in frame and frame[metric.name].notna().any())
    if not known:
        msg = "The samples hold no value of a metric that the model knows."
        raise DataError(msg, remedy=f"Give some of {', '.join(metric.name for metric in metrics[:12])}.")
    try:
        times = pd.to_datetime(frame["time"], utc=True).dt.tz_localize(None).to_numpy("datetime64[ms]")
        values = {metric.name: frame[metric.name].to_numpy(np.float32) for metric in known}
    except (TypeError, ValueError) as error:
        raise DataError(f"The samples cannot be read: {error}.", remedy="Give times and numbers.") from error
    names = frame["entity"].astype(str).to_numpy(object)
    columns = {"time": pa.array(times), "entity": pa.array(names, pa.string())}
    table = pa.table(columns | {name: pa.array(column, from_pandas=True) for name, column in values.items()})
    table = table.sort_by([("entity", "ascending"), ("time", "ascending")])
    return [shard.panel for shard in shards(FrameStore(table, known, _topology(frame, known)))]


def _topology(frame: pd.DataFrame, metrics: Sequence[Metric]) -> Topology:
    entities = []
    for name, rows in frame.groupby(frame["entity"].astype(str), sort=True):
        stated = rows["kind"].dropna().tolist() if "kind" in rows else []
        kinds = (kind for m in metrics if rows[m.name].notna().any() for kind in m.entity_kinds[:1])
        kind = str(stated[0]) if stated else next(kinds, EntityKind.ENTITY)
        entities.append(Entity(id=str(name), kind=kind))
    return Topology.of(entities)
