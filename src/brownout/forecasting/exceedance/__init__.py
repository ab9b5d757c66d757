"""Chances to cross a limit within the horizon: what is learned for them from held-out windows, and their skill."""

from brownout.forecasting.exceedance.breach_skill import learn_persistence, odds_of, persistence_of, with_brier
from brownout.forecasting.exceedance.chance_correction import Chances, base_rates

__all__ = ["Chances", "base_rates", "learn_persistence", "odds_of", "persistence_of", "with_brier"]
