"""``brownout probe``: console measurements, as line protocol or into an InfluxDB."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brownout.cli.app import MEASURE, app
from brownout.cli.talk import complain
from brownout.domain.errors import SettingsError

if TYPE_CHECKING:
    from brownout.probe.baseline import Baseline, Verdict

__all__ = ["probe"]

BASELINE_INTERVAL_S, BASELINE_COUNT = 30.0, 60
"""Half an hour."""
INTERVAL_S = 10.0


class Signal(StrEnum):
    """The setting ``signal`` of Telegraf's inputs.execd."""

    STDIN = "STDIN"
    NONE = "none"


Targets = Annotated[
    list[str] | None,
    typer.Argument(help="vnc://HOST:PORT, spice://HOST:PORT, ws://…, a file of them, or a hypervisor's URI."),
]
Prepared = Annotated[
    list[str] | None, typer.Option(help="Name of a guest that is prepared for keys; it alone gets them.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="Password of VNC consoles; else BROWNOUT_VNC_PASSWORD.", exists=True)
]
Certificates = Annotated[
    Path | None, typer.Option(help="Certificates to trust besides those of the system.", exists=True)
]
Anonymous = Annotated[bool, typer.Option("--anonymous-tls", help="Let vnc+tls:// do without a certificate.")]
InfluxConfig = Annotated[
    Path | None, typer.Option(help="Settings file with the InfluxDB to write to.", exists=True, dir_okay=False)
]
Execd = Annotated[Signal | None, typer.Option(help="Run below Telegraf's inputs.execd, with its setting signal.")]
HalfAnHour = Annotated[
    bool, typer.Option("--baseline", help="Half an hour, then the mean of each console and whether it will do.")
]


@app.command(rich_help_panel=MEASURE)
def probe(  # noqa: PLR0913 - each setting of a probe is an option of the command
    targets: Targets = None,
    *,
    count: Annotated[int, typer.Option(min=0, help="Rounds; 0 = endless.")] = 0,
    interval: Annotated[float | None, typer.Option(min=0.1, help="Seconds between two rounds; 10 by default.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for a connection, at most 2.")] = 2.0,
    modes: Annotated[str, typer.Option(help="Of handshake, update, full, window; with commas.")] = "handshake,update",
    inject: Prepared = None,
    vantage: Annotated[str, typer.Option(help="The tag vantage: from where it is looked.")] = "",
    command: Annotated[str, typer.Option(help="A command that prints targets, run once a minute.")] = "",
    password_file: PasswordFile = None,
    ca_file: Certificates = None,
    anonymous_tls: Anonymous = False,
    config: InfluxConfig = None,
    execd: Execd = None,
    every_round: Annotated[
        bool, typer.Option("--every-round", help="All modes in each round, not each at its own pace.")
    ] = False,
    baseline: HalfAnHour = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the baseline as JSON.")] = False,
) -> None:
    """Measure VNC and SPICE consoles as a viewer would, without disturbing one."""
    from brownout.bootstrap_probe import ProbeRequest, influx_writer, probe_run
    from brownout.operate.probing import Destination, probe_consoles
    from brownout.probe.baseline import Baseline
    from brownout.probe.probe_settings import ProbeSettings

    if as_json and not baseline:
        raise SettingsError("--json is for --baseline: points are line protocol.", remedy="Leave it out.")
    judged = Baseline() if baseline else None
    settings = ProbeSettings(
        interval_s=interval or (BASELINE_INTERVAL_S if baseline else INTERVAL_S),
        count=count or (BASELINE_COUNT if baseline else 0),
        timeout_s=timeout,
        modes=frozenset(name.strip() for name in modes.split(",") if name.strip()),
        inject=frozenset(inject or ()),
        vantage=vantage,
        anonymous_tls=anonymous_tls,
        every_round=baseline or every_round,
    )
    request = ProbeRequest(targets=tuple(targets or ()), command=command, password_file=password_file, ca_file=ca_file)
    destination = Destination(
        write=None if config is None else influx_writer(config),
        execd=None if execd is None else execd.value,
        baseline=judged,
    )
    probe_consoles(probe_run(settings, request, complain), destination, complain)
    if judged:
        _show(judged, as_json=as_json)


def _show(baseline: "Baseline", *, as_json: bool) -> None:
    verdicts = baseline.verdicts()
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(verdict) | {"accepted": verdict.accepted} for verdict in verdicts], indent=1))
        return
    for verdict in verdicts:
        typer.echo(_words(verdict))


def _words(verdict: "Verdict") -> str:
    if verdict.mean_ms is None:
        return f"{verdict.console}: not measured, none of {verdict.probes} probes succeeded"
    what = "request to first update" if verdict.stage == "update" else "connect to negotiated"
    judged = "accepted" if verdict.accepted else "not accepted"
    return (
        f"{verdict.console}: mean {verdict.mean_ms:.1f} ms ({what}), {verdict.succeeded} of {verdict.probes} probes: "
        f"{judged}, limit {verdict.limit_ms:g} ms"
    )
