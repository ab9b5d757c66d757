"""Right-sizing on real traces: python benchmarks/planning/right_sizing.py DATASET [--days 30] [--first 0].

A dataset folder of guests with columns of role cpu and memory in percent, and their sizes in entities.csv (cores,
mem_capacity_kb). Sizes are advised from some days; how many guests that were made smaller exceed their new size in a
half hour of the 30 days after them is counted.
"""

import argparse
from pathlib import Path

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.metrics import Catalogue, Role
from brownout.domain.panel import Panel
from brownout.numerics.slots import days
from brownout.planning.right_sizing import HALF_HOUR_S, right_sizes
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

KIB = 1024.0**2


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    advice, exceeded, guests = [], [], 0
    for panel in panels(options.dataset):
        start = panel.start + days(options.first)
        cut = start + days(options.days)
        later = panel.between(cut, cut + days(30))
        kept = [r for r in range(len(panel.entities)) if _measured(panel.between(start, cut), r) > 0.5]
        kept = [row for row in kept if _measured(later, row) > 0.5]
        guests += len(kept)
        for one in right_sizes(panel.between(start, cut).select(entities=kept)):
            row, column = panel.entity_ids.index(one.guest), int(one.resource.value == "memory")
            shares = later.values[row, :, column] / 100
            used = (1 - shares if column else shares) * one.size
            advice.append(one)
            exceeded.append(bool((used[np.isfinite(used)] > one.advised).any()))
    print("| days | guests | advice | number | exceed within 30 days | of all given back |")
    print("|---|---|---|---|---|---|")
    for label, chosen in (
        ("fewer vCPUs", [a.resource.value == "vcpus" and a.advised < a.size for a in advice]),
        ("less memory", [a.resource.value == "memory" and a.advised < a.size for a in advice]),
        ("any smaller", [a.advised < a.size for a in advice]),
        ("larger", [a.advised > a.size for a in advice]),
    ):
        told = [one for one, use in zip(advice, chosen, strict=True) if use]
        over = [one for one, use in zip(exceeded, chosen, strict=True) if use]
        given = sum(one.size - one.advised for one in told) / max(sum(one.size for one in told), 1e-9)
        span = f"{options.first} to {options.first + options.days}"
        share = f"{sum(over)} ({100 * np.mean(over):.1f} %)" if told else "–"
        print(f"| {span} | {guests} | {label} | {len(told)} | {share} | {given:.0%} of theirs |")


def panels(folder: Path) -> list[Panel]:
    """Guests in half hours, with the two metrics of a guest, memory as what is usable."""
    catalogue, found = Catalogue.load(), []
    metrics = tuple(catalogue.metrics[name] for name in ("vm_cpu_pct", "vm_memory_usable_pct"))
    for shard in shards(Dataset.open(folder)):
        coarse = shard.panel.coarsen(max(HALF_HOUR_S // shard.panel.interval_s, 1))
        roles = [metric.role for metric in coarse.metrics]
        cpu, memory = (coarse.values[..., roles.index(role)] for role in (Role.CPU, Role.MEMORY))
        memory = np.where(memory <= 100, memory, np.nan)  # beyond it the trace says the size wrong
        values = np.stack([np.clip(cpu, 0, 100), 100 - memory], axis=-1)
        entities = tuple(_with_size(entity) for entity in coarse.entities)
        found.append(Panel(values.astype(np.float32), coarse.start, coarse.interval_s, entities, metrics))
    return found


def _with_size(entity: Entity) -> Entity:
    labels = {"vcpus": entity.labels.get("cores", ""), "memory_gib": ""}
    if entity.labels.get("mem_capacity_kb"):
        labels["memory_gib"] = str(float(entity.labels["mem_capacity_kb"]) / KIB)
    return Entity(id=entity.id, kind="vm", labels=labels)


def _measured(panel: Panel, row: int) -> float:
    return float(np.isfinite(panel.values[row, :, 0]).mean())


if __name__ == "__main__":
    main()
