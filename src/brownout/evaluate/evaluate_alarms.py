"""Judge what a night alarms: the product's own episodes, sifted of artefacts and outliers, against the truth."""

from collections import Counter

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.evaluate.own_nights import OwnNights
from brownout.evaluation.alarm_scores import alarm_scores
from brownout.evaluation.finding_scores import unfounded
from brownout.store.dataset import Dataset

__all__ = ["judge_alarms"]


def judge_alarms(dataset: Dataset, nights: OwnNights, knowledge: Knowledge) -> dict[str, object]:
    """Faults and artefacts, found and alarmed, what was missed, and what is false; on a healthy fleet all is."""
    harmless = {rule.id for rule in knowledge.causes.values() if rule.artefact}
    faults = [incident for incident in dataset.incidents if incident.cause not in harmless]
    return {
        **alarm_scores(nights.tracks, nights.alarms(), dataset.incidents, dataset.topology, harmless),
        "false_incidents": len(unfounded(nights.diagnoses, faults, dataset.topology)),
        "episodes": len(nights.episodes),
        "suppressed": dict(Counter(quiet.why.value for quiet in nights.suppressed)),
    }
