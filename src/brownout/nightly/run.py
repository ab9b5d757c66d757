"""The one night: the stages in their order. Command line, Prefect flow and every evaluation run this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from brownout.domain.night import Night
from brownout.domain.ports import Progress, no_progress
from brownout.nightly.assemble import assemble_night
from brownout.nightly.capacity.hardware_outlook import hardware_outlook
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis, diagnose_batch, group_incidents, with_shared_faults_once
from brownout.nightly.false_alarms import expected_by_chance, suppress_expected
from brownout.nightly.freshness import freshness_of
from brownout.nightly.model_review.drift_search import model_drift
from brownout.nightly.score_shard import ShardResult, plan_night, score_shard
from brownout.store.memory import release_memory

__all__ = ["Map", "NightResult", "run", "serial_map"]

T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """Applies the work of a stage to its items, here or elsewhere, and returns the results in the items' order."""

    def __call__(self, stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress) -> list[R]:
        """Results of a stage, which is named for people."""
        ...


def serial_map(stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress) -> list[R]:
    """One item after the other, in this thread."""
    results = []
    for done, item in enumerate(items, 1):
        results.append(work(item))
        progress(stage, done / len(items))
    return results


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NightResult:
    """A night, and the results of its stages that evaluation and write-back read."""

    night: Night
    shards: tuple[ShardResult, ...]
    batches: tuple[BatchDiagnosis, ...]


def run(context: NightContext, *, map: Map = serial_map, progress: Progress = no_progress) -> NightResult:  # noqa: A002
    """Score all shards, diagnose what was found, and assemble the night. Reads only; changes nothing anywhere."""
    shards = map("watch", partial(_bounded, score_shard, context), plan_night(context), progress)
    episodes = [episode for shard in shards for episode in shard.detection.episodes]
    groups = group_incidents(context, episodes)
    found = map("investigate", partial(_bounded, diagnose_batch, context), groups, progress)
    batches = with_shared_faults_once(context, found)
    incidents = suppress_expected(
        batches, episodes, expected=expected_by_chance(context, episodes), state=context.state
    )
    freshness = freshness_of(context, [shard.silent for shard in shards])
    night = assemble_night(context, shards, incidents, freshness)
    drift, roadmap = model_drift(context), hardware_outlook(context)
    night = replace(night, drift=drift, waiting=context.models.waiting, roadmap=roadmap)
    release_memory()
    return NightResult(night=night, shards=tuple(shards), batches=tuple(batches))


def _bounded(stage: Callable[[NightContext, T], R], context: NightContext, item: T) -> R:
    """The result of a stage for one item; what the item needed beside it is given back to the system."""
    result = stage(context, item)
    release_memory()
    return result
