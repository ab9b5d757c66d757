"""``brownout feedback``: say what an episode was."""

import json
from typing import Annotated

import typer

from brownout.cli.app import DECIDE, Json, Nights, app
from brownout.domain.errors import SettingsError

__all__ = ["feedback"]


@app.command(rich_help_panel=DECIDE)
def feedback(  # noqa: PLR0913 - one switch for each thing that can be said
    episode: Annotated[str | None, typer.Argument(help="Id of an episode or an incident in report.json.")] = None,
    *,
    out: Nights,
    false: Annotated[bool, typer.Option("--false", help="It was nothing: like ones must be more severe.")] = False,
    true: Annotated[bool, typer.Option("--true", help="It was real: like ones are shown whatever was said.")] = False,
    expected: Annotated[
        bool, typer.Option("--expected", help="It is known: like ones at this time of day are no alarm.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was said.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show all that was said.")] = False,
    as_json: Json = False,
) -> None:
    """Say that an episode was false, true or expected; the next nights take it into account for like episodes."""
    from brownout.bootstrap import clock
    from brownout.domain.encoding import visible
    from brownout.domain.verdicts import Said
    from brownout.nightly.effects.alert_state_file import give_feedback, read_alert_state, take_back
    from brownout.store.workspace import Workspace

    workspace = Workspace(out)
    verdicts = [word for word, chosen in ((Said.FALSE, false), (Said.TRUE, true), (Said.EXPECTED, expected)) if chosen]
    if (len(verdicts) + undo) != (0 if listed else 1) or (episode is None) != listed:
        remedy = "Give an episode with one of --false, --true, --expected, --undo; or --list alone."
        raise SettingsError("One thing can be said about one episode at a time.", remedy=remedy)
    if episode is not None:
        judged = (
            take_back(workspace, episode, clock()) if undo else give_feedback(workspace, episode, verdicts[0], clock())
        )
        for known in judged:
            line = f"{known.id}\t{visible(known.entity)}\t{known.lead}\t{'undone' if undo else verdicts[0].value}"
            typer.echo(line)
        return
    rows = [
        {"episode": v.episode.id, "entity": v.episode.entity, "metric": v.episode.lead, "said": v.said.value,
         "severity": round(v.episode.severity, 3), "at": str(v.at)}
        for v in read_alert_state(workspace).verdicts
    ]  # fmt: skip
    typer.echo(
        json.dumps(rows, indent=1) if as_json else visible("\n".join("\t".join(map(str, r.values())) for r in rows))
    )
