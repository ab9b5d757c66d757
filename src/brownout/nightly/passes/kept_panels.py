"""Panels kept from one pass of watch to the next: only what came since is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.numerics.slots import days, floor_to_slot
from brownout.store.as_of import StoreAsOf
from brownout.store.history import History, slice_start
from brownout.store.shards import Shard, ShardPlan, read_shard

__all__ = ["KeptPanels"]

AGAIN = days(1 / 24)
"""What was measured so shortly before the end of a panel is read again: a slot may not have been whole."""
Key = tuple[tuple[str, ...], int, np.datetime64]


@dataclass(slots=True, eq=False)
class KeptPanels:
    """Panels by entities, interval and start, and time and size of the files that they were read from."""

    shards: dict[Key, Shard] = field(default_factory=dict)
    used: set[Key] = field(default_factory=set)
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)

    def renew(self, store: SampleStore) -> None:
        """At the start of a pass: leave out what files hold that changed since, and what the last pass did not need."""
        stamps = _stamps(store)
        changed = [path for path in {**self.stamps, **stamps} if self.stamps.get(path) != stamps.get(path)]
        since = min((slice_start(path) for path in changed), default=None)
        shards = {key: shard for key, shard in self.shards.items() if key in self.used}
        if since is not None:
            shards = {
                key: replace(shard, panel=shard.panel.between(shard.panel.start, since))
                for key, shard in shards.items()
            }
        self.shards, self.used, self.stamps = shards, set(), stamps

    def read(self, store: SampleStore, plan: ShardPlan) -> Shard:
        """A shard as ``read_shard`` gives it; repairs are those of its first reading."""
        key = (plan.entities, plan.interval_s, plan.start)
        self.used.add(key)
        shard = _gone_on(store, plan, self.shards[key]) if key in self.shards else None
        self.shards[key] = shard = shard or read_shard(store, plan)
        entities = tuple(store.topology[name] for name in shard.panel.entity_ids)  # as they are now
        return replace(shard, panel=replace(shard.panel.between(plan.start, plan.end), entities=entities))


def _gone_on(store: SampleStore, plan: ShardPlan, shard: Shard) -> Shard | None:
    """A shard until the end of a plan, of which only the end is read; None where it must be read from its start."""
    if plan.end <= shard.panel.end - AGAIN:
        return shard
    begin = floor_to_slot(shard.panel.end - AGAIN, plan.interval_s)
    if begin <= plan.start:
        return None
    later = read_shard(store, replace(plan, start=begin)).panel
    joined = _joined(shard.panel.between(plan.start, begin), later)
    return None if joined is None else replace(shard, panel=joined)


def _joined(panel: Panel, later: Panel) -> Panel | None:
    """Both panels joined; None where the second has an entity or a metric that the first lacks."""
    if panel.entity_ids != later.entity_ids or not set(later.metric_names) <= set(panel.metric_names):
        return None
    values = np.full((len(panel.entities), later.values.shape[1], len(panel.metrics)), np.nan, np.float32)
    values[:, :, [panel.metric_names.index(name) for name in later.metric_names]] = later.values
    return replace(panel, values=np.concatenate([panel.values, values], axis=1))


def _stamps(store: SampleStore) -> Mapping[Path, tuple[int, int]]:
    """Time and size of the files of a history."""
    whole = store.store if isinstance(store, StoreAsOf) else store
    if not isinstance(whole, History):
        return {}
    facts = {path: path.stat() for path in whole.files}
    return {path: (fact.st_mtime_ns, fact.st_size) for path, fact in facts.items()}
