"""From evidence to ranked causes, ``unknown`` among them, with the sentences that explain the answer.

``Diagnoser.diagnose`` ranks the causes of one span; ``learn`` fits weights to labelled incidents.
"""

from brownout.diagnosis.inference.cause_ranking import Candidate, Diagnoser, Weights
from brownout.diagnosis.inference.explanation import counter_evidence, decider, summarise
from brownout.diagnosis.inference.weight_learning import Example, Learned, learn, make_example

__all__ = [
    "Candidate",
    "Diagnoser",
    "Example",
    "Learned",
    "Weights",
    "counter_evidence",
    "decider",
    "learn",
    "make_example",
    "summarise",
]
