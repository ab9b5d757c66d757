"""``brownout what-if`` and ``place``: what a change of guests would do, and where the next one goes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brownout.cli.app import Config, Json, Out, app

if TYPE_CHECKING:
    from brownout.nightly.context import NightContext

__all__ = ["place", "what_if"]


@app.command("what-if")
def what_if(
    *,
    out: Out,
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


@app.command()
def place(
    *,
    out: Out,
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


def _last_night(out: Path, config: Path | None) -> "NightContext":
    """The night of an output folder with the forecasters of its last training, to be asked; nothing is written."""
    from brownout.bootstrap import open_job
    from brownout.nightly.questions.last_night import stored_forecasters
    from brownout.settings import load_settings

    job = open_job(load_settings(config), out)
    return job.context().with_models(stored_forecasters(job.workspace))
