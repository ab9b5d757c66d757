"""Judge what a user gets: the product's own episodes, grouped and investigated as in a night, against the truth."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode
from brownout.domain.ports import Progress, no_progress
from brownout.evaluation.findings import false_causes, match
from brownout.settings import Settings
from brownout.telemetry.dataset import Dataset
from brownout.usecases.evaluate_diagnose import Judging, write_rankings, write_scores
from brownout.usecases.investigate import group_incidents, investigate
from brownout.usecases.own_episodes import nights_of, own_episodes

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
    found: list[Diagnosis] = []
    artefacts: list[Diagnosis] = []
    episodes = [_late(episode, delay_s) for episode in own_episodes(dataset, settings, nights, progress)]
    batches = group_incidents(dataset, episodes)
    for done, batch in enumerate(batches):
        investigated = investigate(dataset, batch, settings)
        found += investigated.diagnoses
        artefacts += investigated.artefacts
        progress("investigate", (done + 1) / len(batches))
    result: dict[str, object] = {
        "episodes": "own",
        "delay_s": delay_s,
        "seconds": round(time.monotonic() - started, 1),
        "diagnoses": len(found),
        "false": false_causes(found, dataset.incidents, dataset.topology, span),
    }
    if any(incident.start >= span[0] for incident in dataset.incidents):
        result |= _against_truth(dataset, [*found, *artefacts], span[0], out)
    write_scores(out / "scores.json", result)
    return result


def _late(episode: Episode, delay_s: float) -> Episode:
    """An episode whose begin nobody saw; one that was over by then is noticed as it ends."""
    return replace(episode, start=min(episode.start + np.timedelta64(round(delay_s * 1000), "ms"), episode.end))


def _against_truth(dataset: Dataset, found: Sequence[Diagnosis], first: np.datetime64, out: Path) -> dict[str, object]:
    """Scores over all faults from the first night on, and over those found alone; artefacts should be left quiet."""
    judging = Judging.of(dataset)
    harmless = {rule.id for rule in judging.knowledge.causes.values() if rule.artefact}
    incidents = [incident for incident in dataset.incidents if incident.start >= first]
    judged = match(found, [i for i in incidents if i.cause not in harmless], dataset.topology)
    rankings = [(pair.incident, judging.answers(pair.diagnosis)) for pair in judged]
    write_rankings(out / "ranking.parquet", rankings)
    seen = [ranking for ranking in rankings if ranking[1]]
    late = [abs(pair.diagnosis.start - pair.incident.start) for pair in judged if pair.diagnosis is not None]
    artefacts = match(found, [i for i in incidents if i.cause in harmless], dataset.topology)
    return {
        "artefacts": len(artefacts),
        "artefacts_given_a_fault": sum(p.diagnosis is not None and _is_fault(p.diagnosis.top) for p in artefacts),
        "found": round(len(seen) / len(rankings), 4) if rankings else None,
        "span_starts_off_s": float(np.median(late) / np.timedelta64(1000, "ms")) if late else None,
        **judging.scores(rankings),
        "of_those_found": judging.scores(seen)["scores"],
    }


def _is_fault(cause: Cause) -> bool:
    return cause.id != UNKNOWN and not cause.artefact
