"""Judge the diagnosis on labelled incidents: each is ranked from the samples of its group alone."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.errors import DataError
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis
from brownout.domain.panel import Panel
from brownout.domain.ports import Progress, no_progress
from brownout.domain.truth import Incident
from brownout.evaluate.labelled_incidents import BASELINE, GroupPanels, healthy_window, window_of
from brownout.evaluation.diagnosis_scores import FAMILIES, answers, diagnosis_scores, judge, scores_by_family
from brownout.evaluation.lookalikes import NOT_FOUND, within_groups
from brownout.store.atomic import atomic_path
from brownout.store.dataset import Dataset
from brownout.store.plain_json import write_json

__all__ = ["Judging", "evaluate_diagnose", "write_rankings"]

Ranking = tuple[Incident, list[Cause]]


def evaluate_diagnose(
    dataset: Dataset,
    out: Path,
    delay_s: float = 0.0,
    progress: Progress = no_progress,
    *,
    knowledge: Knowledge | None = None,
) -> dict[str, object]:
    """Write ``ranking.parquet`` (incident, rank, entity, cause, probability) and ``scores.json``; returns the scores.

    ``delay_s`` pretends that detection came so many seconds after the true start. Where all labels are families of
    causes, a cause's family is the answer. Beside the incidents the healthy spans before them are diagnosed.
    ``knowledge`` is that of a site; default: what ships.
    """
    started = time.monotonic()
    judging = Judging.of(dataset, knowledge or Knowledge.load())
    diagnoser, panels = Diagnoser(judging.knowledge), GroupPanels(dataset)
    rankings: list[Ranking] = []
    healthy: list[bool] = []

    def look(window: IncidentWindow, own: Sequence[Panel]) -> Diagnosis:
        past = [panel.between(window.start - BASELINE, window.end) for panel in own]
        return diagnoser.diagnose(window, past, dataset.topology.at(window.start))

    for done, incident in enumerate(dataset.incidents):
        own = panels[incident.group]
        rankings.append((incident, judging.answers(look(window_of(incident, dataset, delay_s), own))))
        before = healthy_window(incident, dataset, min((panel.start for panel in own), default=incident.start))
        healthy += [look(before, own).top.id != UNKNOWN] if before is not None else []
        progress("diagnose", (done + 1) / len(dataset.incidents))
    result = {
        "delay_s": delay_s,
        "seconds": round(time.monotonic() - started, 1),
        **judging.scores(rankings),
        "healthy": {
            "spans": len(healthy),
            "given_a_cause": round(sum(healthy) / len(healthy), 4) if healthy else None,
        },
    }
    write_rankings(out / "ranking.parquet", rankings)
    write_json(out / "scores.json", result)
    return result


@dataclass(frozen=True)
class Judging:
    """What answers to the incidents of a data set are judged by."""

    dataset: Dataset
    knowledge: Knowledge
    coarse: bool

    @classmethod
    def of(cls, dataset: Dataset, knowledge: Knowledge) -> Self:
        """Raises DataError where there is nothing to judge by."""
        if not dataset.incidents:
            raise DataError(
                f"{dataset.name} has no incidents.",
                remedy="Add incidents.csv, or judge what is found by itself: --episodes own.",
            )
        return cls(dataset, knowledge, all(incident.cause in FAMILIES for incident in dataset.incidents))

    def answers(self, diagnosis: Diagnosis | None) -> list[Cause]:
        """The ranking of a diagnosis; none where nothing was found."""
        return [] if diagnosis is None else answers(diagnosis.causes, coarse=self.coarse)

    def scores(self, rankings: Sequence[Ranking]) -> dict[str, object]:
        """Scores over all rankings, over incidents that met another one on their host, and what was taken for what."""
        causes = self.knowledge.causes.values()
        families = {rule.id: rule.family.value for rule in causes}
        alike = {rule.id: rule.alike for rule in causes}
        verdicts = [
            judge(ranked, incident, families=families, alike=alike, chance=self._chance(incident))
            for incident, ranked in rankings
        ]
        met = [v for v, (incident, _) in zip(verdicts, rankings, strict=True) if self._meets_another(incident)]
        named = ((incident.cause, ranked[0].id if ranked else NOT_FOUND) for incident, ranked in rankings)
        confused = Counter((cause, answer) for cause, answer in named if answer != cause)
        return {
            "answers": "families" if self.coarse else "causes",
            "scores": diagnosis_scores(verdicts),
            "families": scores_by_family(verdicts),
            "look_alikes": [] if self.coarse else within_groups(verdicts, alike),
            **({"met": diagnosis_scores(met)} if met else {}),
            "confusions": [{"cause": a, "taken_for": b, "incidents": n} for (a, b), n in confused.most_common(20)],
        }

    def _meets_another(self, incident: Incident) -> bool:
        return any(
            other.id != incident.id and other.start < incident.end and other.end > incident.start
            for other in self.dataset.incidents
            if other.group == incident.group
        )

    def _chance(self, incident: Incident) -> float:
        """How often a blind guess among the entities of an incident and what they can suffer from would be right."""
        kinds = Counter(e.kind for e in self.dataset.topology if e.group == incident.group or not incident.group)
        causes = self.knowledge.causes.values()
        if self.coarse:
            return 1 / max(kinds.total() * len({c.family for c in causes if not c.kind}), 1)
        return 1 / max(sum(kinds[cause.kind] for cause in causes if cause.kind), 1)


def write_rankings(path: Path, rankings: Sequence[Ranking]) -> None:
    """Write ``ranking.parquet``."""
    rows = [
        {"incident": incident.id, "rank": rank, "entity": c.entity, "cause": c.id, "probability": c.probability}
        for incident, ranked in rankings
        for rank, c in enumerate(ranked, 1)
    ]
    schema = pa.schema(
        [("incident", pa.string()), ("rank", pa.int32()), ("entity", pa.string()), ("cause", pa.string()),
         ("probability", pa.float64())]
    )  # fmt: skip
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, schema), part, compression="zstd")
