"""``brownout review``: which models are in use, which wait, and what people decide about them."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brownout.cli.app import DECIDE, Config, Json, Nights, app
from brownout.cli.talk import say

if TYPE_CHECKING:
    from brownout.domain.night import ModelRecord
    from brownout.nightly.effects.champion_history import Decision
    from brownout.operate.review import ModelState

__all__ = ["review"]

review = typer.Typer(no_args_is_help=True, help="Look at trained models, and decide which one the nights use.")
app.add_typer(review, name="review", rich_help_panel=DECIDE)


class Model(StrEnum):
    """The models of a night."""

    FORECASTER = "forecaster"
    DETECTOR = "detector"


ModelName = Annotated[Model, typer.Argument(help="forecaster or detector.")]
By = Annotated[str, typer.Option("--by", help="Your name; it is kept with the decision.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]


@review.command("list")
def list_command(*, out: Nights, config: Config = None, as_json: Json = False) -> None:
    """Show of each model what is in use, what waits, and what the rules say of it."""
    from brownout.operate.review import review_models
    from brownout.settings import load_settings
    from brownout.site_knowledge import load_definitions
    from brownout.store.workspace import Workspace

    states = review_models(Workspace(out), load_definitions(load_settings(config).knowledge).review)
    if as_json:
        typer.echo(json.dumps([_state(state) for state in states], indent=1))
        return
    for state in states:
        _show_line(state)


@review.command()
def show(model: ModelName, *, out: Nights, config: Config = None, as_json: Json = False) -> None:
    """Show champion and challenger side by side, the verdict rule by rule, who was champion when and why, the card."""
    from brownout.operate.review import review_model
    from brownout.settings import load_settings
    from brownout.site_knowledge import load_definitions
    from brownout.store.workspace import Workspace

    state = review_model(Workspace(out), load_definitions(load_settings(config).knowledge).review, model.value)
    if as_json:
        typer.echo(json.dumps(_state(state), indent=1))
        return
    _show_line(state)
    for check in state.verdict.checks if state.verdict else ():
        typer.echo(_visible(f"  {'passed' if check.passed else 'FAILED'}\t{check.title} ({check.of}): {check.why}"))
    for decision in state.decisions:
        typer.echo(_visible(f"  {_decision_line(decision)}"))
    if state.card is not None:
        typer.echo(f"{state.model}\tcard\t{state.card.resolve().as_uri()}")


@review.command()
def approve(  # noqa: PLR0913 - one switch for each thing that is said
    model: ModelName, *, out: Nights, by: By, reason: Reason, config: Config = None, as_json: Json = False
) -> None:
    """Let the model that waits take the place of the one in use."""
    _decide("approve", model, (out, config), (by, reason), as_json=as_json)


@review.command()
def reject(  # noqa: PLR0913 - one switch for each thing that is said
    model: ModelName, *, out: Nights, by: By, reason: Reason, config: Config = None, as_json: Json = False
) -> None:
    """Put the model that waits away; nothing is trained on the same data again."""
    _decide("reject", model, (out, config), (by, reason), as_json=as_json)


@review.command()
def rollback(  # noqa: PLR0913 - one switch for each thing that is said
    model: ModelName, *, out: Nights, by: By, reason: Reason, config: Config = None, as_json: Json = False
) -> None:
    """Put back the model that was in use before."""
    _decide("rollback", model, (out, config), (by, reason), as_json=as_json)


def _decide(
    action: str, model: Model, paths: tuple[Path, Path | None], signature: tuple[str, str], *, as_json: bool
) -> None:
    """Decide on disk, then tell MLflow; exit code 1 where MLflow could not be told."""
    from brownout.bootstrap import clock, open_job
    from brownout.nightly.effects.champion_history import Signature
    from brownout.operate.review import decide
    from brownout.settings import load_settings

    (out, config), (by, reason) = paths, signature
    job = open_job(load_settings(config), out)
    signed = Signature(by=by.strip(), reason=reason.strip(), at=clock())
    decision = decide(job.workspace, model.value, action, signed)
    if as_json:
        typer.echo(json.dumps(_decision(decision), indent=1))
    else:
        typer.echo(_visible(_decision_line(decision)))
    with job.alone(f"brownout review {action}"):
        job.log_trainings()
    for line in job.effects.lines():
        say(line)
    if job.effects.exit_code:
        raise typer.Exit(job.effects.exit_code)


def _show_line(state: "ModelState") -> None:
    """What is in use, and what waits with the reason."""
    typer.echo(_visible(f"{state.model}\tin use\t{_words(state.champion)}"))
    if state.challenger is not None:
        why = state.verdict.reason if state.verdict else "there is nothing to compare it with"
        typer.echo(_visible(f"{state.model}\twaits\t{_words(state.challenger)}\t{why}"))


def _words(record: "ModelRecord | None") -> str:
    if record is None:
        return "none: nothing was trained yet"
    until = record.trained_to.astype("datetime64[m]")
    return f"{record.uri or 'not in MLflow yet'}, learned up to {until} UTC"


def _decision_line(decision: "Decision") -> str:
    at = decision.at.astype("datetime64[s]")
    return (
        f"{at} UTC\t{decision.outcome.value}\t{decision.uri or '(not in MLflow)'}\tby {decision.by}: {decision.reason}"
    )


def _visible(text: str) -> str:
    from brownout.domain.encoding import visible

    return visible(text)


def _decision(decision: "Decision") -> dict[str, Any]:
    from brownout.domain.encoding import encode

    return dict(json.loads(encode(decision)))


def _state(state: "ModelState") -> dict[str, Any]:
    """A state as JSON has it."""
    from dataclasses import asdict

    from brownout.domain.encoding import encode

    records = {"champion": state.champion, "challenger": state.challenger, "previous": state.previous}
    return {
        "model": state.model,
        **{name: None if record is None else json.loads(encode(record)) for name, record in records.items()},
        "passed": None if state.verdict is None else state.verdict.passed,
        "checks": [asdict(check) for check in state.verdict.checks] if state.verdict else [],
        "decisions": [_decision(decision) for decision in state.decisions],
        "card": None if state.card is None else str(state.card),
    }
