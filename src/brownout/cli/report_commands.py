"""``brownout report``: any night of the archive again, the schema of report.json, and whether a file keeps to it."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from brownout.cli.app import DECIDE, NIGHT, Config, app
from brownout.cli.talk import say
from brownout.domain.errors import SettingsError

__all__ = ["mcp", "report"]


class ReportLanguage(StrEnum):
    """Languages of a report."""

    EN = "en"
    ZH = "zh"


@app.command(rich_help_panel=NIGHT)
def report(  # noqa: PLR0913 - each option is something else that can be done with a report
    *,
    out: Annotated[Path | None, typer.Option(help="Output folder of the nights.", file_okay=False)] = None,
    night: Annotated[
        str, typer.Option(help="Name of an archived night, or the beginning of it, e.g. 2026-03-16; or last.")
    ] = "last",
    language: Annotated[ReportLanguage | None, typer.Option(help="English or Chinese.")] = None,
    config: Config = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the nights of the archive.")] = False,
    check: Annotated[
        Path | None, typer.Option(help="Say whether a report.json keeps to the schema.", dir_okay=False)
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of report.json.")] = False,
) -> None:
    """Write the report of an archived night again: the last one to OUT/report, others beside their report.json."""
    if sum((out is not None, check is not None, schema)) != 1:
        raise SettingsError(
            "Nothing, or more than one thing, is to be done.", remedy="Give --out, --check or --schema."
        )
    if check is not None:
        _check(check)
    elif schema:
        from brownout.reporting import report_schema

        typer.echo(json.dumps(report_schema(), indent=1))
    elif out is not None:
        _render(out, night, language, config, listed=listed)


@app.command(rich_help_panel=DECIDE)
def mcp(
    *, out: Annotated[Path, typer.Option(help="Output folder of the nights.", exists=True, file_okay=False)]
) -> None:
    """Let an assistant read the archive of nights: a Model Context Protocol server on standard input and output."""
    from brownout.bootstrap import archive_server

    archive_server(out).run("stdio")


def _render(out: Path, night: str, language: ReportLanguage | None, config: Path | None, *, listed: bool) -> None:
    from brownout.nightly.effects.report_archive import archived_nights, rerender
    from brownout.settings import load_settings
    from brownout.store.workspace import Workspace

    workspace = Workspace(out)
    if listed:
        for name in archived_nights(workspace):
            typer.echo(name)
        return
    chosen = load_settings(config).report.language if language is None else language.value
    typer.echo(rerender(workspace, night, chosen))


def _check(path: Path) -> None:
    from brownout.reporting import report_problems

    problems = report_problems(path)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    say(f"{path} keeps to the schema")
