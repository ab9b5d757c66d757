"""The card of a training: one page by which a person can let a model take the place of another one."""

from brownout.reporting.model_card.card_content import CardCheck, CardContent
from brownout.reporting.model_card.card_page import CARD_PAGE, CARD_PLOTS, card_page, card_plots
from brownout.reporting.model_card.card_tables import BACKTEST, card_tables

__all__ = ["BACKTEST", "CARD_PAGE", "CARD_PLOTS", "CardCheck", "CardContent", "card_page", "card_plots", "card_tables"]
