"""What operators ask between two nights, answered from history and models of the last one; nothing is written."""

from brownout.nightly.questions.placement_question import answer_placement
from brownout.nightly.questions.what_if_question import answer_what_if

__all__ = ["answer_placement", "answer_what_if"]
