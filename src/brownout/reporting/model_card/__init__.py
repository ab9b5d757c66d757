"""The card of a training: one page by which a person can let a model take the place of another one."""

from brownout.reporting.model_card.card_content import CardCheck, CardContent
from brownout.reporting.model_card.card_page import CARD_PAGE, card_page

__all__ = ["CARD_PAGE", "CardCheck", "CardContent", "card_page"]
