"""Judge the diagnosis on labelled incidents: each is ranked from the samples of its group alone."""

import json
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from brownout.diagnosis.inference import Diagnoser
from brownout.diagnosis.knowledge import Knowledge
from brownout.domain.errors import DataError
from brownout.domain.findings import Cause
from brownout.domain.ports import Progress, no_progress
from brownout.domain.truth import Incident
from brownout.evaluation.diagnosis import FAMILIES, answers, diagnosis_scores, judge
from brownout.telemetry.atomic import atomic_path, write_text
from brownout.telemetry.dataset import Dataset
from brownout.usecases.incidents import BASELINE, GroupPanels, window_of

__all__ = ["evaluate_diagnose"]


def evaluate_diagnose(
    dataset: Dataset, out: Path, delay_s: float = 0.0, progress: Progress = no_progress
) -> dict[str, object]:
    """Write ``ranking.parquet`` (incident, rank, entity, cause, probability) and ``scores.json``; returns the scores.

    ``delay_s`` pretends that detection came so many seconds after the true start. Where all
    labels are families of causes, a cause's family is the answer.
    """
    incidents = dataset.incidents
    if not incidents:
        raise DataError(f"{dataset.name} has no incidents.", remedy="Give a data set with incidents.csv.")
    started = time.monotonic()
    knowledge = Knowledge.load()
    coarse = all(incident.cause in FAMILIES for incident in incidents)
    diagnoser = Diagnoser(knowledge)
    rankings: list[tuple[Incident, list[Cause]]] = []
    panels = GroupPanels(dataset)
    for done, incident in enumerate(incidents):
        window = window_of(incident, dataset, delay_s)
        past = [panel.between(window.start - BASELINE, window.end) for panel in panels[incident.group]]
        diagnosis = diagnoser.diagnose(window, past, dataset.topology)
        rankings.append((incident, answers(diagnosis.causes, coarse=coarse)))
        progress("diagnose", (done + 1) / len(incidents))
    families = {rule.id: rule.family.value for rule in knowledge.causes.values()}
    alike = {rule.id: rule.alike for rule in knowledge.causes.values()}
    verdicts = [
        judge(
            ranked,
            incident,
            families=families,
            alike=alike,
            chance=_chance(incident, dataset, knowledge, coarse=coarse),
        )
        for incident, ranked in rankings
    ]
    confused = Counter((i.cause, ranked[0].id) for i, ranked in rankings if ranked[0].id != i.cause)
    result: dict[str, object] = {
        "delay_s": delay_s,
        "seconds": round(time.monotonic() - started, 1),
        "answers": "families" if coarse else "causes",
        "scores": diagnosis_scores(verdicts),
        "confusions": [{"cause": a, "taken_for": b, "incidents": n} for (a, b), n in confused.most_common(20)],
    }
    _write(out / "ranking.parquet", rankings)
    write_text(out / "scores.json", json.dumps(result, indent=1))
    return result


def _chance(incident: Incident, dataset: Dataset, knowledge: Knowledge, *, coarse: bool) -> float:
    """How often a blind guess among the entities of an incident and what they can suffer from would be right."""
    kinds = Counter(e.kind for e in dataset.topology if e.group == incident.group or not incident.group)
    if coarse:
        return 1 / max(kinds.total() * len({c.family for c in knowledge.causes.values() if not c.kind}), 1)
    return 1 / max(sum(kinds[cause.kind] for cause in knowledge.causes.values() if cause.kind), 1)


def _write(path: Path, rankings: list[tuple[Incident, list[Cause]]]) -> None:
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
