"""What replayed nights said, as tables: incidents told, episodes with what became of them, and warnings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.findings import Diagnosis, Episode
from brownout.domain.forecasts import Breach
from brownout.evaluate.replay import Replayed
from brownout.numerics.slots import epoch_ms
from brownout.reporting import report_of
from brownout.reporting.views.incident_order import first_mover
from brownout.store.atomic import atomic_path

__all__ = ["EPISODES", "TOLD", "WARNINGS", "cause_rows", "episode_rows", "frame", "warning_rows", "write_rows"]

TIME = pa.timestamp("ms", "UTC")
TEXT, NUMBER = pa.string(), pa.float64()
TOLD = pa.schema(
    [("night", TIME), ("incident", TEXT), ("entity", TEXT), ("cause", TEXT), ("probability", NUMBER), ("start", TIME),
     ("open", pa.bool_()), ("alarmed", pa.bool_()), ("rank", pa.int32()), ("end", TIME), ("first_entity", TEXT),
     ("first_metric", TEXT)]
)  # fmt: skip
"""``told.parquet``: a row for each cause that is told of an incident; ``rank`` 0 = not in "Do first"."""
EPISODES = pa.schema(
    [("night", TIME), ("episode", TEXT), ("entity", TEXT), ("start", TIME), ("end", TIME), ("open", pa.bool_()),
     ("severity", NUMBER), ("lead", TEXT), ("why", TEXT), ("because", TEXT), ("incident", TEXT)]
)  # fmt: skip
"""``episodes.parquet``: ``why`` is the kind of reason for which an episode is not alarmed, "" where it is."""
WARNINGS = pa.schema(
    [("night", TIME), ("entity", TEXT), ("metric", TEXT), ("limit", NUMBER), ("probability", NUMBER),
     ("earliest", TIME), ("likely", TIME), ("latest", TIME), ("exceeded", pa.bool_()), ("horizon_s", NUMBER),
     ("maker", TEXT)]
)  # fmt: skip
"""``warnings.parquet``: ``exceeded`` where the limit is crossed already, ``horizon_s`` what the chance is of."""

Row = dict[str, Any]


def cause_rows(night: Replayed) -> list[Row]:
    """Incidents of the report, alarmed, and harmless things that it explains without an alarm."""
    night_result = night.result.night
    ranks: dict[str, int] = {}
    for rank, action in enumerate(report_of(night_result).first, 1):
        ranks.setdefault(action.about, rank)
    quiet = [diagnosis for batch in night.result.batches for diagnosis in batch.artefacts]
    return [
        *(
            row
            for diagnosis in night_result.diagnoses
            for row in _rows_of_causes(night, diagnosis, night_result.episodes, ranks, alarmed=True)
        ),
        *(
            row
            for diagnosis in quiet
            for row in _rows_of_causes(night, diagnosis, _quiet_episodes(night), {}, alarmed=False)
        ),
    ]


def _quiet_id(diagnosis: Diagnosis) -> str:
    """An id of its own: what is left of an incident without its harmless part keeps the incident's id."""
    return f"{diagnosis.id}:{diagnosis.top.id}"


def _quiet_episodes(night: Replayed) -> list[Episode]:
    return [quiet.episode for quiet in night.result.night.suppressed]


def _rows_of_causes(
    night: Replayed, diagnosis: Diagnosis, episodes: Sequence[Episode], ranks: Mapping[str, int], *, alarmed: bool
) -> list[Row]:
    """A row for each cause told; an unknown cause is of the entity that moved first."""
    names = set(diagnosis.episodes)
    own = [episode for episode in episodes if episode.id in names]
    mover = first_mover(own, diagnosis)
    abnormal = mover.series.entity if mover else own[0].entity if own else ""
    return [
        {
            "night": epoch_ms(night.time),
            "incident": diagnosis.id if alarmed else _quiet_id(diagnosis),
            "entity": cause.entity or abnormal,
            "cause": cause.id,
            "probability": cause.probability,
            "start": epoch_ms(diagnosis.start),
            "open": diagnosis.open,
            "alarmed": alarmed,
            "rank": ranks.get(diagnosis.id, 0),
            "end": epoch_ms(diagnosis.end),
            "first_entity": mover.series.entity if mover else "",
            "first_metric": mover.series.metric if mover else "",
        }
        for cause in diagnosis.told
    ]


def episode_rows(night: Replayed) -> list[Row]:
    """All episodes of a night, with the incident that they went into or the reason why none is alarmed."""
    night_result = night.result.night
    owner = {name: _quiet_id(one) for batch in night.result.batches for one in batch.artefacts for name in one.episodes}
    owner |= {name: diagnosis.id for diagnosis in night_result.diagnoses for name in diagnosis.episodes}
    alarmed = [(episode, "", "") for episode in night_result.episodes]
    quiet = [(one.episode, one.why.value, one.reason) for one in night_result.suppressed]
    return [
        {
            "night": epoch_ms(night.time), "episode": episode.id, "entity": episode.entity,
            "start": epoch_ms(episode.start), "end": epoch_ms(episode.end), "open": episode.open,
            "severity": episode.severity, "lead": episode.lead, "why": why, "because": because,
            "incident": owner.get(episode.id, ""),
        }
        for episode, why, because in (*alarmed, *quiet)
    ]  # fmt: skip


def warning_rows(breaches: Sequence[Breach], night: np.datetime64, name: str = "night") -> list[Row]:
    """Breaches that a night, or an origin, foresees; those of limits crossed already too."""
    return [
        {
            name: epoch_ms(night), "entity": breach.series.entity, "metric": breach.series.metric,
            "limit": breach.limit, "probability": breach.probability,
            **{key: None if at is None else epoch_ms(at) for key, at in (
                ("earliest", breach.earliest), ("likely", breach.likely), ("latest", breach.latest))},
            "exceeded": breach.exceeded, "horizon_s": float(breach.horizon_s), "maker": breach.maker,
        }
        for breach in breaches
    ]  # fmt: skip


def frame(rows: Sequence[Row], schema: pa.Schema) -> pd.DataFrame:
    """Rows as the table that is written; times are UTC."""
    table: pd.DataFrame = pa.Table.from_pylist(list(rows), schema).to_pandas()
    return table


def write_rows(path: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    """Write rows as Parquet, whole or not at all."""
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(list(rows), schema), part, compression="zstd")
