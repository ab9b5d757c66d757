"""Lines that detection watches: where the symptoms begin that the causes of the knowledge cannot do without."""

from collections.abc import Mapping

from brownout.detection.episodes.line_episodes import Line
from brownout.diagnosis.inference.cause_ranking import CLEAR
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Metric, Worse

__all__ = ["watched_lines"]


def watched_lines(knowledge: Knowledge, metrics: Mapping[str, Metric]) -> tuple[Line, ...]:
    """A line for each symptom with values of its own that is necessary for a fault, where it counts in full.

    Not of metrics that nobody calls worse or better, and not of load: a resource in use is no fault by itself.
    """
    names = {
        symptom
        for cause in knowledge.causes.values()
        if not cause.artefact
        for rule in cause.evidence
        if rule.role is EvidenceRole.NECESSARY
        for symptom, _ in rule.parts
    }
    lines = []
    for name in sorted(names):
        symptom = knowledge.symptoms[name]
        metric = metrics.get(symptom.metric)
        if metric is None or metric.worse is Worse.NONE or symptom.load:
            continue
        plain = symptom.measure == "level" and not symptom.shape and symptom.direction != "either"
        if plain and symptom.low is not None and symptom.high is not None:
            value = symptom.low + CLEAR * (symptom.high - symptom.low)
            lines.append(Line(metric=symptom.metric, value=value, up=symptom.direction == "up"))
    return tuple(lines)
