"""Anomaly detection: from panels to episodes.

The way of a night: ``newcomers_in`` and ``with_peer_history`` fill the history that new entities lack;
``IsolationForestDetector`` scores slots (``features`` of each metric against its ``baseline``, read by a ``forest``);
``rescored_after_shifts`` accepts new levels; ``find_episodes`` merges slots above the alarm boundary; ``with_rules``,
``with_metric_shares`` and ``with_accepted_shifts`` say more about each episode; ``AlertState`` continues the episodes
of the night before and suppresses what people called false.
"""

from brownout.detection.alert_state import AlertState, ReviewedEpisodes
from brownout.detection.baseline.level_shifts import (
    moved_to_new_level,
    rescored_after_shifts,
    with_accepted_shifts,
)
from brownout.detection.baseline.newcomers import (
    newcomers_in,
    with_peer_history,
    without_first_day,
    without_peer_slots,
)
from brownout.detection.detector_settings import DetectorSettings, EpisodeSettings
from brownout.detection.episodes.metric_shares import with_metric_shares
from brownout.detection.episodes.outliers import single_sample_episodes
from brownout.detection.episodes.relocation import relocation_episodes
from brownout.detection.episodes.segmentation import find_episodes, in_progress
from brownout.detection.episodes.threshold_rules import load_rules, rule_states, with_rules
from brownout.detection.forest.detector import IsolationForestDetector

__all__ = [
    "AlertState",
    "DetectorSettings",
    "EpisodeSettings",
    "IsolationForestDetector",
    "ReviewedEpisodes",
    "find_episodes",
    "in_progress",
    "load_rules",
    "moved_to_new_level",
    "newcomers_in",
    "relocation_episodes",
    "rescored_after_shifts",
    "rule_states",
    "single_sample_episodes",
    "with_accepted_shifts",
    "with_metric_shares",
    "with_peer_history",
    "with_rules",
    "without_first_day",
    "without_peer_slots",
]
