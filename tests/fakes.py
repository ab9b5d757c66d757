"""In-memory stand-ins for what a night reads and what stands beside it; the contracts hold the store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brownout.domain.entities import Topology
from brownout.domain.findings.model_cards import DataFacts
from brownout.domain.metrics import Metric
from brownout.domain.ports import Span
from brownout.ingest.line_protocol import Points
from brownout.ingest.spans import spans_of


@dataclass
class MemoryStore:
    table: pa.Table
    metrics: tuple[Metric, ...]
    topology: Topology
    interval_s: int | None = 300
    name: str = "memory"

    def spans(self) -> dict[str, Span]:
        return dict(spans_of(self.table, self.interval_s))

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        kept = self.table.filter(
            pc.is_in(self.table["entity"].cast(pa.string()), pa.array(list(entities), pa.string()))
        )
        for bound, holds in ((start, pc.greater_equal), (end, pc.less)):
            if bound is not None:
                kept = kept.filter(
                    holds(
                        kept["time"],
                        pa.scalar(bound.astype("datetime64[ms]").astype(object), kept.schema.field("time").type),
                    )
                )
        return kept


@dataclass
class MemoryTracker:
    runs: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def run(self, name: str, *, span: tuple[np.datetime64, np.datetime64] | None = None) -> Iterator["MemoryTracker"]:
        del span
        self.runs.append((name, {}))
        yield self

    def parameters(self, values: dict[str, object]) -> None:
        self.runs[-1][1].update(values)

    def metrics(self, values: dict[str, float]) -> None:
        self.runs[-1][1].update(values)

    def artifacts(self, paths: Sequence[Path]) -> None:
        self.runs[-1][1]["artifacts"] = [path.name for path in paths]

    def data(self, facts: DataFacts) -> None:
        self.runs[-1][1]["data"] = facts

    def describe(self, text: str, tags: Mapping[str, str]) -> None:
        self.runs[-1][1].update(tags, description=text)

    def fail(self, reason: str) -> None:
        self.runs[-1][1]["failed"] = reason

    def register(self, name: str, folder: Path, *, alias: str, tags: Mapping[str, str]) -> str:
        self.runs[-1][1].update(tags, files=sorted(path.name for path in folder.iterdir()))
        uri = f"models:/{name}/{len(self.runs)}"
        self.aliases[f"{name}@{alias}"] = uri
        return uri

    def mark(self, uri: str, *, alias: str, tags: Mapping[str, str]) -> bool:
        del tags
        name = uri.removeprefix("models:/").rpartition("/")[0]
        for key in [key for key, value in self.aliases.items() if value == uri]:
            del self.aliases[key]
        if alias:
            self.aliases[f"{name}@{alias}"] = uri
        return int(uri.rpartition("/")[2]) <= len(self.runs)

    def prune(self, *, keep_days: float, now: float) -> int:
        del keep_days, now
        return 0


@dataclass
class MemorySink:
    points: list[Points] = field(default_factory=list)

    def __call__(self, points: Iterable[Points]) -> int:
        self.points += points
        return len(self.points)
