"""What a series does now: trends that have run for hours, the last value, incidents that are over."""

from brownout.forecasting.present.continuity import joined_weights, with_first_step
from brownout.forecasting.present.level_steps import relief
from brownout.forecasting.present.local_trend import Runs, runs_of
from brownout.forecasting.present.lone_bursts import without_lone_bursts
from brownout.forecasting.present.one_offs import Spans, without_one_offs
from brownout.forecasting.present.open_excursions import Survival, with_open_excursions
from brownout.forecasting.present.present_level import present_shift
from brownout.forecasting.present.trend_gate import MAKES, PERSISTENCE, Trending, mixed_with_trends, trends_of

__all__ = [
    "MAKES",
    "PERSISTENCE",
    "Runs",
    "Spans",
    "Survival",
    "Trending",
    "joined_weights",
    "mixed_with_trends",
    "present_shift",
    "relief",
    "runs_of",
    "trends_of",
    "with_first_step",
    "with_open_excursions",
    "without_lone_bursts",
    "without_one_offs",
]
