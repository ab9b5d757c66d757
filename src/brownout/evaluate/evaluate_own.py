"""Judge what a user gets: the product's own episodes, grouped and investigated as in a night, against the truth."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis
from brownout.domain.ports import Progress, no_progress
from brownout.evaluate.evaluate_diagnose import Judging, write_rankings
from brownout.evaluate.own_nights import own_nights
from brownout.evaluate.replay import nights_of
from brownout.evaluation.finding_scores import false_causes, match
from brownout.settings import Settings
from brownout.store.dataset import Dataset
from brownout.store.plain_json import write_json

__all__ = ["evaluate_own"]


def evaluate_own(
    dataset: Dataset,
    out: Path,
    delay_s: float = 0.0,
    progress: Progress = no_progress,
    *,
    settings: Settings | None = None,
) -> dict[str, object]:
    """Write ``ranking.parquet`` and ``scores.json`` as ``evaluate_diagnose`` does; an incident not found has no ranks.

    ``delay_s`` pretends that each episode was noticed so many seconds later: what came before counts as its past.
    Judged is what begins after the share of the data that a first night learns from. A data set without incidents is
    all healthy: then only what is false is counted.
    """
    started = time.monotonic()
    settings = settings or Settings()
    nights = tuple(nights_of(dataset, settings, dataset.test_start))
    span = (nights[0].window, nights[-1].end)
    own = own_nights(dataset, settings, nights, progress, delay_s=delay_s)
    result: dict[str, object] = {
        "episodes": "own",
        "delay_s": delay_s,
        "seconds": round(time.monotonic() - started, 1),
        "diagnoses": len(own.diagnoses),
        "false": false_causes(own.diagnoses, dataset.incidents, dataset.topology, span),
    }
    if any(incident.start >= span[0] for incident in dataset.incidents):
        judging = Judging.of(dataset, Knowledge.load(settings.knowledge))
        result |= _against_truth(judging, [*own.diagnoses, *own.artefacts], span[0], out)
    write_json(out / "scores.json", result)
    return result


def _against_truth(
    judging: Judging, diagnoses: Sequence[Diagnosis], first: np.datetime64, out: Path
) -> dict[str, object]:
    """Scores over all faults from the first night on, and over those found alone; artefacts should be left quiet."""
    dataset = judging.dataset
    harmless = {rule.id for rule in judging.knowledge.causes.values() if rule.artefact}
    incidents = [incident for incident in dataset.incidents if incident.start >= first]
    judged = match(diagnoses, [i for i in incidents if i.cause not in harmless], dataset.topology)
    rankings = [(pair.incident, judging.answers(pair.diagnosis)) for pair in judged]
    write_rankings(out / "ranking.parquet", rankings)
    detected = [ranking for ranking in rankings if ranking[1]]
    late = [abs(pair.diagnosis.start - pair.incident.start) for pair in judged if pair.diagnosis is not None]
    artefacts = match(diagnoses, [i for i in incidents if i.cause in harmless], dataset.topology)
    return {
        "artefacts": len(artefacts),
        "artefacts_given_a_fault": sum(p.diagnosis is not None and _is_fault(p.diagnosis.top) for p in artefacts),
        "found": round(len(detected) / len(rankings), 4) if rankings else None,
        "span_starts_off_s": float(np.median(late) / np.timedelta64(1000, "ms")) if late else None,
        **judging.scores(rankings),
        "of_those_found": judging.scores(detected)["scores"],
    }


def _is_fault(cause: Cause) -> bool:
    return cause.id != UNKNOWN and not cause.artefact
