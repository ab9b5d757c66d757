"""What nightly reports said against what came: incidents told, and warnings of crossed limits."""

from brownout.evaluation.nights.labelled_truth import Harmless, Labelled, NightTruth
from brownout.evaluation.nights.line_matching import Tolerance, Verdict
from brownout.evaluation.nights.lost_incidents import Fate, Lost, false_lines, fates_of
from brownout.evaluation.nights.measured_crossings import measured_crossings
from brownout.evaluation.nights.night_scores import JudgedNights, judge_nights, night_scores
from brownout.evaluation.nights.warning_scores import Crossing, Replay, warning_scores

__all__ = [
    "Crossing",
    "Fate",
    "Harmless",
    "JudgedNights",
    "Labelled",
    "Lost",
    "NightTruth",
    "Replay",
    "Tolerance",
    "Verdict",
    "false_lines",
    "fates_of",
    "judge_nights",
    "measured_crossings",
    "night_scores",
    "warning_scores",
]
