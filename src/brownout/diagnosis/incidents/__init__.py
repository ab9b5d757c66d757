"""From episodes to incidents: grouped by host and time, diagnosed phase by phase, with artefacts set apart."""

from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.incident_core import diagnose_phases, phases
from brownout.diagnosis.incidents.separation import Sifted, sift

__all__ = ["Sifted", "diagnose_phases", "group_episodes", "phases", "sift"]
