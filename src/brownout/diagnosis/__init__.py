"""From episodes to ranked causes, by evidence that is defined as data.

Rooms: ``knowledge`` (symptoms and causes), ``evidence`` (what was measured), ``inference`` (ranking and explaining),
``incidents`` (grouping of episodes, phases, artefacts).
"""

from brownout.diagnosis.evidence import IncidentWindow
from brownout.diagnosis.incidents import diagnose_phases, group_episodes, sift
from brownout.diagnosis.inference import Diagnoser, Weights
from brownout.diagnosis.knowledge import Knowledge

__all__ = [
    "Diagnoser",
    "IncidentWindow",
    "Knowledge",
    "Weights",
    "diagnose_phases",
    "group_episodes",
    "sift",
]
