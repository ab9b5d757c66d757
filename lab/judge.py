"""``python -m lab.judge DIR``: what brownout tells of a run of the lab, beside what was injected."""

import argparse
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from lab.compose import APART_H, composed, rows_of

BEFORE, AFTER = np.timedelta64(10, "m"), np.timedelta64(30, "m")
"""How much earlier or later than a fault an incident may begin that is about it."""
TIMES = ("start", "end")
BROWNOUT = (sys.executable, "-c", "from brownout.cli import main; main()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of an injection: the first cause of an incident at its time; empty where none was told."""

    fault: str
    entity: str
    causes: tuple[str, ...]
    cause: str
    culprit: str

    def family_right(self, families: Mapping[str, str]) -> bool:
        """Whether the family of the cause is one of those that it is rightly told as."""
        return families.get(self.cause) in {families[cause] for cause in self.causes}

    def entity_right(self, related: Mapping[str, set[str]]) -> bool:
        """Whether who is blamed is whom the fault befell, or part of it: a guest's console, a host's disk."""
        return self.culprit in related.get(self.entity, {self.entity})


def nights(folder: Path, out: Path) -> list[Told]:
    """Nights as they ship, replayed: what they tell of each injection, and of harmless ones."""
    injected = rows_of(folder / "injections.csv")
    number = math.ceil(len(injected) * APART_H / 24) + 1
    words = ("evaluate", "night", str(folder), "--out", str(out), "--nights", str(number))
    subprocess.run([*BROWNOUT, *words], check=True, stdout=subprocess.DEVNULL)
    told = pq.read_table(out / "told.parquet").to_pandas()
    told = told[told["alarmed"]].sort_values("probability", ascending=False)
    began = told["start"].dt.tz_localize(None).to_numpy()
    found = []
    for row in injected:
        start, end = (np.datetime64(row[key].removesuffix("Z")) for key in TIMES)
        own = told[(began >= start - BEFORE) & (began < end + AFTER)]
        cause, culprit = ("", "") if own.empty else (str(own.iloc[0]["cause"]), str(own.iloc[0]["entity"]))
        found.append(_told(row, cause, culprit))
    return found


def given_spans(folder: Path, out: Path) -> list[Told]:
    """Diagnosis of spans that are known: the first cause of each fault."""
    subprocess.run([*BROWNOUT, "evaluate", "diagnose", str(folder), "--out", str(out)], check=True)
    ranking = pq.read_table(out / "ranking.parquet")
    first = ranking.filter(pc.equal(ranking["rank"], 1)).to_pylist()
    causes = {str(row["incident"]): row for row in first}
    faults = [row for row in rows_of(folder / "injections.csv") if row["causes"]]
    own = {
        incident["incident"]: fault for incident, fault in zip(rows_of(folder / "incidents.csv"), faults, strict=True)
    }
    return [
        _told(fault, causes[name]["cause"], causes[name]["entity"]) for name, fault in own.items() if name in causes
    ]


def show(title: str, told: Sequence[Told], families: Mapping[str, str], related: Mapping[str, set[str]]) -> None:
    """The table, and its sums."""
    print(f"\n{title}\n{'injected':18} {'at':12} {'told':9} {'of':14} family entity")
    faults = [one for one in told if one.causes]
    for one in told:
        right = (one.family_right(families), one.entity_right(related)) if one.causes else (not one.cause,) * 2
        marks = " ".join("right " if mark else "-     " for mark in right)
        print(f"{one.fault:18} {one.entity:12} {one.cause or 'nothing':9} {one.culprit:14} {marks}")
    family = sum(one.family_right(families) for one in faults)
    entity = sum(one.entity_right(related) for one in faults)
    harmless = [one for one in told if not one.causes]
    quiet = sum(not one.cause or one.cause.startswith("ART") for one in harmless)
    print(
        f"family {family}, entity {entity} of {len(faults)} faults; quiet at {quiet} of {len(harmless)} harmless events"
    )


def main() -> None:
    """Print what a night tells, and what a diagnosis of the known spans does."""
    parser = argparse.ArgumentParser(prog="python -m lab.judge", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    slow = composed(options.dataset, options.out / "composed")
    families = {name: cause.family for name, cause in Knowledge.load().causes.items()}
    related = _related(rows_of(slow / "entities.csv"))
    show("Spans given", given_spans(slow, options.out / "diagnose"), families, related)
    show("Nights", nights(slow, options.out / "nights"), families, related)


def _told(row: Mapping[str, str], cause: str, culprit: str) -> Told:
    causes = tuple(filter(None, row["causes"].split("|")))
    return Told(fault=row["fault"], entity=row["entity"], causes=causes, cause=cause, culprit=culprit)


def _related(entities: Sequence[Mapping[str, str]]) -> dict[str, set[str]]:
    """Each entity with what lies within it and is not a guest; a path with the host at its end."""
    related = {row["entity"]: {row["entity"]} for row in entities}
    for row in entities:
        if row["kind"] != "vm" and row["parent"] in related:
            related[row["parent"]].add(row["entity"])
            related[row["entity"]].add(row["parent"])
    return related


if __name__ == "__main__":
    main()
