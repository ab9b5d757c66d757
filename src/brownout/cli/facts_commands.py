"""``brownout facts`` and ``brownout labels``: what libvirt knows about guests."""

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from brownout.cli.app import MEASURE, app
from brownout.cli.talk import complain

__all__ = ["facts", "labels"]

ANNOUNCEMENT = Path("/var/lib/brownout/maintenance")


@app.command(rich_help_panel=MEASURE)
def facts(
    *,
    connect: Annotated[
        str, typer.Option(help="libvirt URI of another host: guests alone, nothing of the kernel.")
    ] = "",
    host: Annotated[str, typer.Option(help="The tag host, where it is not that of the Telegraf that runs this.")] = "",
    maintenance: Annotated[
        Path, typer.Option(help="File that announces maintenance while it is there.")
    ] = ANNOUNCEMENT,
) -> None:
    """Print what Telegraf does not gather about this hypervisor and its guests, as line protocol for inputs.exec."""
    from brownout.bootstrap import hypervisor_facts

    for line in hypervisor_facts(connect, host, maintenance, complain):
        typer.echo(line)


@app.command(rich_help_panel=MEASURE)
def labels(
    domains: Annotated[list[Path], typer.Argument(help="Files with what `virsh dumpxml` printed.", exists=True)],
) -> None:
    """Print the configuration of guests, from libvirt's XML, as CSV columns for a data set's entities.csv."""
    from brownout.bootstrap import guest_labels

    columns, rows = guest_labels(path.read_text(encoding="utf-8") for path in domains)
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    typer.echo(table.getvalue(), nl=False)
