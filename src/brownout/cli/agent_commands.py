"""``brownout agent``: host and guest metrics in Telegraf's schemas."""

from pathlib import Path
from typing import Annotated

import typer

from brownout.cli.app import MEASURE, app
from brownout.cli.facts_commands import ANNOUNCEMENT
from brownout.cli.probe_commands import Execd, InfluxConfig, Signal
from brownout.cli.talk import complain

__all__ = ["agent"]


@app.command(rich_help_panel=MEASURE)
def agent(  # noqa: PLR0913 - each setting of an agent is an option of the command
    *,
    once: Annotated[bool, typer.Option("--once", help="One round, after a second for the rates.")] = False,
    interval: Annotated[float, typer.Option(help="Seconds between two rounds.")] = 10.0,
    config: InfluxConfig = None,
    execd: Execd = None,
    host: Annotated[str, typer.Option(help="The tag host; this machine's name by default.")] = "",
    connect: Annotated[str, typer.Option(help="URI of this machine's libvirt; virsh's own default without it.")] = "",
    maintenance: Annotated[
        Path, typer.Option(help="File that announces maintenance while it is there.")
    ] = ANNOUNCEMENT,
) -> None:
    """Gather what Telegraf would on this hypervisor, in its schemas, for hosts that have none."""
    from brownout.bootstrap_probe import influx_writer, local_agent
    from brownout.operate.gathering import GatherSettings, gather_rounds

    settings = GatherSettings(interval_s=interval, once=once, on_stdin=execd is Signal.STDIN)
    gather_rounds(
        local_agent(host, connect, maintenance, complain),
        settings,
        None if config is None else influx_writer(config),
        complain,
    )
