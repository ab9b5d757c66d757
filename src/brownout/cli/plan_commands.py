"""``brownout what-if``, ``place`` and ``actions``: before a change, and what came of it."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brownout.cli.app import DECIDE, TIMES, Config, Json, Nights, app, moment
from brownout.cli.talk import say
from brownout.domain.errors import SettingsError

if TYPE_CHECKING:
    from brownout.nightly.context import NightContext

__all__ = ["log", "place", "score", "what_if"]

actions = typer.Typer(no_args_is_help=True, help="Log which actions of a report were done, and see what came of them.")
app.add_typer(actions, name="actions", rich_help_panel=DECIDE)


@app.command("what-if", rich_help_panel=DECIDE)
def what_if(
    *,
    out: Nights,
    move: Annotated[
        list[str] | None, typer.Option(metavar="VM:HOST", help="A guest, and the host that it would be on.")
    ] = None,
    resize: Annotated[
        list[str] | None, typer.Option(metavar="VM:memory=8G,vcpus=4", help="A guest, and the size it would have.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say what moves or other sizes of guests would change: console latency, and when resources run out."""
    from brownout.cli.plan_tables import what_if_lines
    from brownout.domain.encoding import encode, visible
    from brownout.nightly.questions import answer_what_if
    from brownout.planning.what_if import read_moves, read_resizes

    context = _last_night(out, config)
    answer = answer_what_if(
        context, read_moves(move or (), context.topology), read_resizes(resize or (), context.topology)
    )
    labels = {name: (metric.label, metric.unit) for name, metric in context.metrics.items()}
    if as_json:
        typer.echo(encode(answer, digits=4, labels=labels))
    else:
        typer.echo(visible("\n".join(what_if_lines(answer, context.metrics))))


@app.command(rich_help_panel=DECIDE)
def place(
    *,
    out: Nights,
    vcpus: Annotated[int, typer.Option(min=1, help="vCPUs of the guest.")],
    memory: Annotated[float, typer.Option(min=0.1, metavar="GIB", help="Memory of the guest in GiB.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say on which host the next guest fits best over the coming day, and why not on the others."""
    from brownout.cli.plan_tables import placement_lines
    from brownout.domain.encoding import encode, visible
    from brownout.nightly.questions import answer_placement
    from brownout.store.workspace import Workspace

    context = _last_night(out, config)
    answer = answer_placement(context, Workspace(out), vcpus=vcpus, memory_gib=memory)
    typer.echo(encode(answer, digits=4) if as_json else visible("\n".join(placement_lines(answer))))


@actions.command()
def log(  # noqa: PLR0913 - one option for each thing that is known of an action
    action: Annotated[str | None, typer.Argument(help="Id of an action in the report, or the entity of one.")] = None,
    *,
    out: Nights,
    at: Annotated[datetime | None, typer.Option(help="When it was done (UTC); now by default.", formats=TIMES)] = None,
    night: Annotated[str, typer.Option(help="Night that proposed it: its name, or the beginning of it.")] = "",
    note: Annotated[str, typer.Option(help="Anything worth knowing.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="CSV with the columns action, at, night, note.", exists=True, dir_okay=False)
    ] = None,
    config: Config = None,
) -> None:
    """Log that an action of the last report, or of an earlier night, was done."""
    from brownout.bootstrap import clock
    from brownout.domain.encoding import visible
    from brownout.nightly.effects.action_log import ToLog, log_actions, rows_of_file
    from brownout.planning.remedies import Remedies
    from brownout.settings import load_settings
    from brownout.store.workspace import Workspace

    if (action is None) == (file is None):
        raise SettingsError("Nothing, or more than one thing, is to be logged.", remedy="Give an action, or --file.")
    now, when = clock(), moment(at)
    rows = rows_of_file(file, now) if file else (ToLog(action=action or "", at=when or now, night=night, note=note),)
    for done in log_actions(Workspace(out), rows, Remedies.load(load_settings(config).knowledge)):
        typer.echo(visible(f"{done.link}\t{done.entity}\t{done.title}\t{done.at.astype('datetime64[s]')}Z"))


@actions.command()
def score(*, out: Nights, config: Config = None, as_json: Json = False) -> None:
    """Say what came of logged actions, and of the warnings of the last two weeks."""
    from brownout.cli.plan_tables import score_lines
    from brownout.domain.encoding import encode, visible
    from brownout.nightly.effects.action_log import done_actions
    from brownout.nightly.effects.track_record import past_scores
    from brownout.store.workspace import Workspace

    context = _last_night(out, config)
    scores = past_scores(context, Workspace(out))
    later = sum(one.at > context.span.end for one in done_actions(Workspace(out)))
    if later:
        until = str(context.span.end.astype("datetime64[m]"))
        say(f"{later} logged after the data end ({until}Z): what came of it is said once it was measured")
    typer.echo(encode(scores, digits=4) if as_json else visible("\n".join(score_lines(scores, context.metrics))))


def _last_night(out: Path, config: Path | None) -> "NightContext":
    """The night of an output folder with the forecasters of its last training, to be asked; nothing is written."""
    from brownout.bootstrap import open_job
    from brownout.nightly.questions.last_night import stored_forecasters
    from brownout.settings import load_settings

    job = open_job(load_settings(config), out)
    return job.context().with_models(stored_forecasters(job.workspace))
