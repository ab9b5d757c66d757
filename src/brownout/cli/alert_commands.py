"""``brownout alerts``: which alerts fire."""

import json
from typing import Annotated

import typer

from brownout.cli.app import NIGHT, Json, Nights, app
from brownout.cli.talk import say
from brownout.domain.encoding import visible

__all__ = ["alerts"]

EXIT_CODES = {"critical": 4, "warning": 3}
"""Beside 0 for nothing, 1 for a failure and 2 for bad usage."""


@app.command(rich_help_panel=NIGHT)
def alerts(
    *,
    out: Nights,
    as_json: Json = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 4 where a critical alert fires, with 3 for a warning.")
    ] = False,
) -> None:
    """List the alerts that fire since the last nightly or watch, the most severe first."""
    from brownout.nightly.effects.alerting import read_alert_log, why_silent
    from brownout.store.workspace import Workspace

    firing = read_alert_log(Workspace(out)).firing
    rows = [
        {
            "severity": str(tracked.alert.severity),
            "since": f"{tracked.alert.starts.astype('datetime64[s]')}Z",
            "labels": dict(tracked.alert.labels),
            "annotations": dict(tracked.alert.annotations),
            "told": bool(tracked.notice),
        }
        for tracked in firing
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        for tracked in firing:
            summary = tracked.alert.annotations.get("summary", tracked.alert.entity)
            typer.echo(visible(f"{tracked.alert.severity}\t{summary}"))
    if not firing:
        say(why_silent(Workspace(out)))
    if exit_code and firing:
        raise typer.Exit(EXIT_CODES[str(firing[0].alert.severity)])
