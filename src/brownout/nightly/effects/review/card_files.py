"""The card of a model: what is known of its training as JSON, and the page that people sign by, beside the model."""

from collections.abc import Mapping
from pathlib import Path

from brownout.domain.encoding import encode
from brownout.domain.errors import DataError, ModelError
from brownout.domain.findings.model_cards import ModelFacts
from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import Verdict
from brownout.reporting.model_card import (
    BACKTEST,
    CARD_PAGE,
    CARD_PLOTS,
    CardCheck,
    CardContent,
    card_page,
    card_plots,
    card_tables,
)
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_result

__all__ = ["CARD_ARTIFACTS", "CARD_PAGE", "read_facts", "write_card_page", "write_facts"]

CARD_FACTS = "training.json"
CARD_ARTIFACTS = (CARD_PAGE, CARD_FACTS, BACKTEST, *CARD_PLOTS)
"""What a run of a training keeps beside its model."""


def write_facts(folder: Path, facts: ModelFacts) -> None:
    """Put what is known of a training beside its model."""
    write_text(folder / CARD_FACTS, encode(facts))


def read_facts(folder: Path) -> ModelFacts | None:
    """What is known of the training of a folder's model; None where an earlier release made it.

    Raises ModelError where the file is damaged.
    """
    path = folder / CARD_FACTS
    if not path.is_file():
        return None
    try:
        return read_result(ModelFacts, path)
    except DataError as error:
        remedy = "Train again; without it a challenger is judged by its record alone."
        raise ModelError(error.what, remedy=remedy) from error


def write_card_page(
    folder: Path,
    training: tuple[ModelRecord, ModelFacts, tuple[Skill, ...]],
    verdict: Verdict | None,
    metrics: Mapping[str, Metric],
) -> Path:
    """Write a model's card, its plots and its backtest beside it; returns the page.

    ``verdict`` is None without a champion.
    """
    record, facts, skills = training
    checks = tuple(
        CardCheck(
            title=check.title,
            of=check.of,
            champion=check.champion,
            challenger=check.challenger,
            passed=check.passed,
            why=check.why,
        )
        for check in (verdict.checks if verdict else ())
    )
    content = CardContent(record=record, facts=facts, skills=skills, checks=checks, metrics=metrics)
    for name, text in (card_plots(content) | card_tables(skills, metrics)).items():
        write_text(folder / name, text)
    write_text(folder / CARD_PAGE, card_page(content))
    return folder / CARD_PAGE
