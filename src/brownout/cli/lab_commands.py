"""``brownout lab``: what is done to consoles of one's own."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from brownout.cli.app import MEASURE, app
from brownout.cli.probe_commands import Certificates, PasswordFile
from brownout.cli.talk import complain, say
from brownout.domain.errors import SettingsError

if TYPE_CHECKING:
    from brownout.probe.stress import Step

__all__ = ["stress"]

lab = typer.Typer(
    no_args_is_help=True, help="Experiments on consoles of one's own; never on those that people work at."
)
app.add_typer(lab, name="lab", rich_help_panel=MEASURE)


@lab.command()
def stress(  # noqa: PLR0913 - each setting of an experiment is an option of the command
    targets: Annotated[list[str], typer.Argument(help="vnc://HOST:PORT, spice://HOST:PORT, or a file of them.")],
    *,
    sessions: Annotated[int, typer.Option(help="Viewers at once, at most.")] = 200,
    seconds: Annotated[float, typer.Option(help="Seconds of each step.")] = 10.0,
    limit: Annotated[float, typer.Option(help="Milliseconds that nineteen of twenty answers must keep.")] = 150.0,
    mine: Annotated[bool, typer.Option("--mine", help="These consoles are mine, and nobody works at them.")] = False,
    password_file: PasswordFile = None,
    ca_file: Certificates = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON.")] = False,
) -> None:
    """Open more and more sessions at once, and say up to how many the consoles answer in time."""
    from dataclasses import asdict

    from brownout.bootstrap_probe import ProbeRequest, probe_run
    from brownout.operate.probing import stress_consoles
    from brownout.probe.probe_settings import ProbeSettings
    from brownout.probe.stress import StressSettings, knee

    if not mine:
        msg = "This loads consoles until they are slow."
        raise SettingsError(msg, remedy="Give --mine where they are your own and nobody works at them.")
    settings = StressSettings(sessions=sessions, seconds=seconds, limit_ms=limit)
    probing = ProbeSettings(concurrency=sessions, every_round=True)
    request = ProbeRequest(targets=tuple(targets), password_file=password_file, ca_file=ca_file)
    steps = stress_consoles(probe_run(probing, request, complain), settings, lambda step: say(_words(step)))
    if as_json:
        typer.echo(json.dumps({"knee": knee(steps), "steps": [asdict(step) for step in steps]}, indent=1))
        return
    sessions_in_time = knee(steps)
    whole = "all that were tried" if sessions_in_time == sessions else "more are too many"
    typer.echo(
        f"{sessions_in_time} sessions at once keep {limit:g} ms: {whole}"
        if sessions_in_time
        else f"not even one session keeps {limit:g} ms"
    )


def _words(step: "Step") -> str:
    times = "no answer" if step.p50_ms is None else f"median {step.p50_ms:.0f} ms, 95 % within {step.p95_ms:.0f} ms"
    failed = f", {step.failed} of {step.connections} failed" if step.failed else ""
    return f"{step.sessions} at once: {times}{failed}{'' if step.kept else ' – too slow'}"
