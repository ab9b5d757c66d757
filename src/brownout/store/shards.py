"""Shards: samples on disk become panels on a regular time axis, a few entities at a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from brownout.domain.errors import DataError
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore, Span
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.clean import Rows, clean
from brownout.numerics.slots import epoch_ms, floor_to_slot, group_means

__all__ = ["SHARD_SIZE", "Shard", "ShardPlan", "plan_shards", "read_shard", "shards", "to_panel"]

SHARD_SIZE = 64
"""Entities in a shard: 64 × 12 metrics × 30 days at 5 min are 27 MB."""
SHARD_SLOTS = 300_000
"""Slots of all entities of a shard together: what 34 have in 30 days at 5 min, or 13 in 16 days at a minute."""
MAX_CELLS = 400_000_000
"""Most values of a panel, 1.6 GB: beyond it the interval is wrong or the data spans decades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """Which entities a shard holds and where its grid lies; small enough to hand to a task."""

    entities: tuple[str, ...]
    kind: str
    interval_s: int
    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """A panel and what had to be repaired to make it."""

    panel: Panel
    repairs: Repairs


def shards(
    store: SampleStore,
    *,
    size: int = SHARD_SIZE,
    interval_s: int | None = None,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
) -> Iterator[Shard]:
    """Read a store shard by shard: entities of one kind and interval whose data overlap in time."""
    for plan in plan_shards(store, size=size, interval_s=interval_s, start=start, end=end):
        yield read_shard(store, plan)


def plan_shards(  # noqa: PLR0913 - each narrows what is planned
    store: SampleStore,
    *,
    size: int = SHARD_SIZE,
    interval_s: int | None = None,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    entities: Collection[str] | None = None,
) -> tuple[ShardPlan, ...]:
    """Divide the entities of a store, or those given, that were measured between start and end."""
    topology = store.topology
    chosen = None if entities is None else set(entities)
    spans = {
        name: span
        for name, span in store.spans().items()
        if (start is None or span.last >= start)
        and (end is None or span.first < end)
        and (chosen is None or name in chosen)
    }
    ordered = sorted(
        spans, key=lambda name: (topology[name].kind, interval_s or spans[name].interval_s, spans[name].first, name)
    )
    plans: list[ShardPlan] = []
    for (kind, interval), names in groupby(
        ordered, key=lambda name: (topology[name].kind, interval_s or spans[name].interval_s)
    ):
        clipped = {name: _clipped(spans[name], start, end) for name in names}
        for pack in _packs(list(clipped), clipped, size, np.timedelta64(interval, "s")):
            first = min(spans[name].first for name in pack)
            last = max(spans[name].last for name in pack)
            plans.append(
                ShardPlan(
                    entities=tuple(pack),
                    kind=kind,
                    interval_s=interval,
                    start=floor_to_slot(first if start is None else max(first, start), interval),
                    end=last + np.timedelta64(1, "ms") if end is None else min(last + np.timedelta64(1, "ms"), end),
                )
            )
    return tuple(plans)


def read_shard(store: SampleStore, plan: ShardPlan) -> Shard:
    """Read, clean and grid the entities of a plan; metrics that none of them measured are left out."""
    table = store.read(plan.entities, start=plan.start, end=plan.end)
    filled = {name for name in table.column_names if table[name].null_count < len(table)}
    rows, repairs = clean(table, plan.entities, [metric for metric in store.metrics if metric.name in filled])
    spans = store.spans()
    stray = {(Repair.CLOCK_JUMP, name): spans[name].stray for name in plan.entities if spans[name].stray}
    panel, merged = to_panel(rows, store, plan)
    return Shard(panel.measured(), repairs + merged + Repairs(stray))


def to_panel(rows: Rows, store: SampleStore, plan: ShardPlan) -> tuple[Panel, Repairs]:
    """Average the rows of each slot; slots without rows stay NaN."""
    interval_ms = plan.interval_s * 1000
    origin = epoch_ms(plan.start)
    length = -(-int((plan.end - plan.start) / np.timedelta64(1, "ms")) // interval_ms)
    shape = (len(rows.entities), length, len(rows.metrics))
    if np.prod(shape, dtype=float) > MAX_CELLS:
        msg = f"A grid of {plan.interval_s} s from {plan.start} to {plan.end} has {length:,} slots an entity."
        raise DataError(msg, remedy="State the right interval_s in dataset.toml, or read a shorter range.")
    cells = rows.codes * length + (rows.times - origin) // interval_ms
    further = np.flatnonzero(np.diff(cells) == 0)
    values = np.full((shape[0] * length, shape[2]), np.nan, np.float32)
    if len(further):
        merged = Repairs.count(Repair.MERGED, (rows.entities[code] for code in rows.codes[further].tolist()))
        for column in range(shape[2]):
            values[:, column] = group_means(rows.values[:, column], cells, shape[0] * length)
    else:
        merged = Repairs()
        values[cells] = rows.values
    entities = tuple(store.topology[name] for name in rows.entities)
    return Panel(values.reshape(shape), plan.start, plan.interval_s, entities, rows.metrics), merged


def _clipped(span: Span, start: np.datetime64 | None, end: np.datetime64 | None) -> tuple[np.datetime64, np.datetime64]:
    """First and last time of a span that are planned for."""
    return (span.first if start is None else max(span.first, start), span.last if end is None else min(span.last, end))


def _packs(
    names: Sequence[str],
    spans: Mapping[str, tuple[np.datetime64, np.datetime64]],
    size: int,
    interval: np.timedelta64,
) -> Iterator[list[str]]:
    """Groups of entities, in order of their first sample, that leave less than half of a common time axis unused.

    A group has at most ``size`` entities, fewer where their slots would be more than ``SHARD_SLOTS``.
    """
    pack: list[str] = []
    for name in names:
        if pack:
            members = [spans[other] for other in (*pack, name)]
            first, last = min(own[0] for own in members), max(own[1] for own in members)
            longest = max(own[1] - own[0] for own in members)
            slots = len(members) * ((last - first) / interval)
            if len(pack) == size or slots > SHARD_SLOTS or last - first > 2 * longest:
                yield pack
                pack = []
        pack.append(name)
    if pack:
        yield pack
