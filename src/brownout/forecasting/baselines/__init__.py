"""Classical forecasters, which need no training: rivals of the LSTM, and the candidates of the outlook."""

from brownout.forecasting.baselines.daily_deciles import DailyDeciles
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.forecasting.baselines.naive import Naive, SeasonalNaive, WeeklyNaive, seasonal_scale
from brownout.forecasting.baselines.smoothing import Smoothing
from brownout.forecasting.baselines.trend import Trend

__all__ = [
    "DailyDeciles",
    "MedianLevel",
    "Naive",
    "SeasonalNaive",
    "Smoothing",
    "Trend",
    "WeeklyNaive",
    "seasonal_scale",
]
