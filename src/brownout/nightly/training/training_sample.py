"""Which entities of a big fleet a training reads, so that its time and memory do not grow with the fleet."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.entities import Topology
from brownout.store.shards import ShardPlan

__all__ = ["evenly_by_kind", "families"]

FEW = 16
"""Fewer families than this are no sample of a fleet: its guests are chosen one by one instead of hosts as a whole."""


def evenly_by_kind(plans: Sequence[ShardPlan], most: int) -> list[ShardPlan]:
    """Plans of at most ``most`` evenly chosen entities of each kind and interval."""
    kinds: dict[tuple[str, int], list[ShardPlan]] = {}
    for plan in plans:
        kinds.setdefault((plan.kind, plan.interval_s), []).append(plan)
    chosen = []
    for members in kinds.values():
        wanted = set(_evenly([name for plan in members for name in plan.entities], most))
        with_wanted = (tuple(name for name in plan.entities if name in wanted) for plan in members)
        chosen += [replace(plan, entities=own) for plan, own in zip(members, with_wanted, strict=True) if own]
    return chosen


def families(topology: Topology, names: Iterable[str], most: int) -> tuple[str, ...]:
    """About ``most`` of the named entities, evenly chosen; what runs on or belongs to one of them comes with it.

    Console latency is learned from the loads of its guest and host, so that a family is a host with all that it bears.
    Where whole hosts would be fewer than ``FEW``, the hosts stay and their guests are chosen, each with what is below.
    All entities where there are no more than ``most``; at least ``FEW`` of each kind, or all there are.
    """
    every = sorted(set(names))
    if len(every) <= most:
        return tuple(every)
    chosen = set(_whole_families(topology, every, most))
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in every:
        kinds[topology[name].kind].append(name)
    for members in kinds.values():
        if len(chosen.intersection(members)) < FEW:
            chosen.update(_evenly(members, FEW))
    return tuple(sorted(chosen))


def _whole_families(topology: Topology, every: Sequence[str], most: int) -> list[str]:
    lines = {name: (*reversed(topology.ancestors(name)), name) for name in every}
    chosen: list[str] = []
    for depth in range(max(map(len, lines.values()))):
        members: dict[str, list[str]] = defaultdict(list)
        for name, line in lines.items():
            if len(line) > depth:
                members[line[depth]].append(name)
        wanted = (most - len(chosen)) * len(members) // sum(map(len, members.values()))
        if wanted >= FEW:
            return chosen + [name for family in _evenly(list(members), wanted) for name in members[family]]
        chosen += [name for name, line in lines.items() if len(line) == depth + 1]
        if len(chosen) >= most:
            break
    return _evenly(every, most)


def _evenly(names: Sequence[str], most: int) -> list[str]:
    """At most ``most`` of the names, at even distances."""
    indices = np.linspace(0, len(names) - 1, min(most, len(names))).astype(int)
    return [names[index] for index in dict.fromkeys(indices.tolist())]
