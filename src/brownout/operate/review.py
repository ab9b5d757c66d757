"""Review: the models in use, newer ones that wait, and what people decide about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brownout.domain.errors import SettingsError
from brownout.domain.night import ModelRecord
from brownout.evaluation.review_rules import ReviewRule, Verdict
from brownout.nightly.effects.champion_history import Decision, Signature, read_decisions
from brownout.nightly.effects.champions import (
    approve,
    challenger_of,
    previous_of,
    record_of,
    reject,
    roll_back,
    verdict_on,
)
from brownout.nightly.effects.review.card_files import CARD_PAGE
from brownout.store.night_lock import night_lock
from brownout.store.workspace import Workspace

__all__ = ["ACTIONS", "MODELS", "ModelState", "card_of", "decide", "review_model", "review_models"]

MODELS = ("forecaster", "detector")
"""What people call the models."""
ACTIONS: Mapping[str, Callable[[Path, Signature], Decision]] = {
    "approve": approve,
    "reject": reject,
    "rollback": roll_back,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """A model as it is on disk.

    ``challenger`` waits for a decision and ``verdict`` is what the rules say of it; ``previous`` can be put back.
    ``decisions`` are all that were made about it, oldest first. ``card`` is the page that tells how the challenger, or
    else the champion, was trained and compared; None where an earlier release made it.
    """

    model: str
    champion: ModelRecord | None
    challenger: ModelRecord | None
    previous: ModelRecord | None
    verdict: Verdict | None
    decisions: tuple[Decision, ...]
    card: Path | None = None


def review_models(workspace: Workspace, rules: Sequence[ReviewRule]) -> tuple[ModelState, ...]:
    """The state of all models of an output folder."""
    return tuple(review_model(workspace, rules, model) for model in MODELS)


def review_model(workspace: Workspace, rules: Sequence[ReviewRule], model: str) -> ModelState:
    """The state of one model; raises SettingsError where there is no model of that name."""
    folder = _folder(workspace, model)
    return ModelState(
        model=model,
        champion=record_of(folder),
        challenger=record_of(challenger_of(folder)),
        previous=record_of(previous_of(folder)),
        verdict=verdict_on(rules, folder),
        decisions=read_decisions(folder),
        card=card_of(folder),
    )


def card_of(folder: Path) -> Path | None:
    """The card of the challenger of a champion's folder, or else of the champion."""
    pages = (candidate / CARD_PAGE for candidate in (challenger_of(folder), folder))
    return next((page for page in pages if page.is_file()), None)


def decide(workspace: Workspace, model: str, action: str, signed: Signature) -> Decision:
    """Approve or reject a challenger, or roll back to the champion before; waits for nobody.

    Raises SettingsError where a name or reason is empty, ModelError where there is nothing to decide about, and
    LockedError where a night works in the folder.
    """
    folder = _folder(workspace, model)
    for what, text in (("name", signed.by), ("reason", signed.reason)):
        if not text.strip():
            raise SettingsError(f"The {what} is empty.", remedy="Give --by NAME and --reason TEXT.")
    with night_lock(workspace.out, command=f"brownout review {action}", now=signed.at):
        return ACTIONS[action](folder, signed)


def _folder(workspace: Workspace, model: str) -> Path:
    short = model.removeprefix("brownout-")
    if short not in MODELS:
        raise SettingsError(f"There is no model {model!r}.", remedy=f"Give {' or '.join(MODELS)}.")
    return workspace.forecaster if short == "forecaster" else workspace.detector
