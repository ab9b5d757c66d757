"""The one night: the stages in their order. Command line, Prefect flow and every evaluation run this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

from brownout.detection.episodes.rule_precedents import pooled_precedents
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.night import Night
from brownout.domain.ports import Lost, Map, Progress, no_progress
from brownout.nightly.assemble import assemble_night
from brownout.nightly.capacity.hardware_outlook import hardware_outlook
from brownout.nightly.context import NightContext
from brownout.nightly.diagnose import BatchDiagnosis, diagnose_batch, group_incidents, with_shared_faults_once
from brownout.nightly.false_alarms import expected_by_chance, suppress_expected
from brownout.nightly.freshness import freshness_of
from brownout.nightly.model_review.drift_search import model_drift
from brownout.nightly.score_shard import ShardResult, plan_night, score_shard
from brownout.store.memory import release_memory
from brownout.store.shards import ShardPlan

__all__ = ["NightResult", "lost_sentences", "run", "serial_map"]

T = TypeVar("T")
R = TypeVar("R")


def serial_map(
    stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress = no_progress
) -> list[R | Lost]:
    """One item after the other, in this thread; what one raises is raised."""
    results: list[R | Lost] = []
    for done, item in enumerate(items, 1):
        results.append(work(item))
        progress(stage, done / len(items))
    return results


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NightResult:
    """A night, the results of its stages that evaluation and write-back read, and what of them was lost."""

    night: Night
    shards: tuple[ShardResult, ...]
    batches: tuple[BatchDiagnosis, ...]
    lost: tuple[Lost, ...] = ()


def run(
    context: NightContext,
    *,
    map: Map = serial_map,  # noqa: A002 - what it is
    progress: Progress = no_progress,
    there: NightContext | None = None,
) -> NightResult:
    """Score all shards, diagnose what was found, and assemble the night. Reads only; changes nothing anywhere.

    ``there`` is the context as the workers of the map have it, where they read samples from another place. An item that
    the map lost costs its entities: the night says which, and goes on unless all were lost.
    """
    there = there or context
    shards, lost = _parted(map("watch", partial(_bounded, score_shard, there), plan_night(context), progress))
    episodes = [episode for shard in shards for episode in shard.detection.episodes]
    groups = group_incidents(context, episodes)
    diagnosed, lost_groups = _parted(map("investigate", partial(_bounded, diagnose_batch, there), groups, progress))
    lost = (*lost, *lost_groups)
    batches = with_shared_faults_once(context, diagnosed)
    precedents = pooled_precedents([shard.detection.precedents for shard in shards])
    parts = {name: own for batch in batches for name, own in batch.parts.items()}
    expected = expected_by_chance(context, episodes, precedents, parts)
    incidents = suppress_expected(batches, episodes, expected=expected, state=context.state)
    freshness = freshness_of(context, [shard.silent for shard in shards])
    night = assemble_night(context, shards, incidents, freshness)
    quality = replace(night.quality, waiting=(*night.quality.waiting, *lost_sentences(lost)))
    drift = context.once_a_slot("drift", partial(model_drift, context))
    roadmap = context.once_a_slot("roadmap", partial(hardware_outlook, context))
    night = replace(night, quality=quality, drift=drift, waiting=context.models.waiting, roadmap=roadmap)
    release_memory()
    return NightResult(night=night, shards=tuple(shards), batches=tuple(batches), lost=lost)


def lost_sentences(lost: Sequence[Lost]) -> tuple[str, ...]:
    """What could not be judged and why, a sentence for each item."""
    return tuple(f"{_about(one.item)} could not be judged: {_reason(one.error)}." for one in lost)


def _about(item: object) -> str:
    if isinstance(item, ShardPlan):
        names, what = item.entities, f"entities of kind {item.kind}"
    else:
        windows = cast("Sequence[IncidentWindow]", item)
        names, what = tuple(dict.fromkeys(window.entities[0] for window in windows)), "places of incidents"
    return f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def _parted(results: Sequence[R | Lost]) -> tuple[list[R], tuple[Lost, ...]]:
    """The results that are there, and the items that were lost; raises the first error where nothing is there."""
    present = [result for result in results if not isinstance(result, Lost)]
    lost = tuple(result for result in results if isinstance(result, Lost))
    if lost and not present:
        raise lost[0].error
    return present, lost


def _bounded(stage: Callable[[NightContext, T], R], context: NightContext, item: T) -> R:
    """The result of a stage for one item; what the item needed beside it is given back to the system."""
    result = stage(context, item)
    release_memory()
    return result
