"""Commands and their options. Each imports what it needs when called, so that help does not wait for torch."""

import json
import shutil
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import brownout
from brownout.cli.talk import complain, progress_bars, say
from brownout.domain.errors import SettingsError
from brownout.settings import Settings, load_settings

if TYPE_CHECKING:
    import numpy as np

    from brownout.nightly.effects.kept_models import KeptModels
    from brownout.nightly.effects.side_effects import SideEffects
    from brownout.nightly.passes.kept_results import KeptResults
    from brownout.simulation import FleetSettings

__all__ = ["DECIDE", "JUDGE", "MEASURE", "NIGHT", "START", "app"]

START, NIGHT, DECIDE = "Begin", "Every night", "Ask and decide"
MEASURE, JUDGE = "On hypervisors and at consoles", "How good it is"
"""Panels that the help of all commands is parted into."""

app = typer.Typer(
    name="brownout",
    help="Forecast and explain degradation of KVM guests: laggy consoles, hosts that run out of a resource.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluate = typer.Typer(
    no_args_is_help=True,
    help="Judge whole nights, or warnings, forecasts, detection or diagnosis, on a dataset folder.",
)
app.add_typer(evaluate, name="evaluate", rich_help_panel=JUDGE)

Out = Annotated[Path, typer.Option(help="Folder for everything the command writes.", file_okay=False)]
Nights = Annotated[Path, typer.Option(help="Output folder of the nights.", file_okay=False)]
ConfigOption = typer.Option(help="Settings file (TOML).", exists=True, dir_okay=False)
Config = Annotated[Path | None, ConfigOption]
DatasetFolder = Annotated[Path | None, typer.Option(help="Dataset folder to read.", exists=True, file_okay=False)]
DatasetArgument = Annotated[Path, typer.Argument(help="Dataset folder.", exists=True, file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
KnowledgeFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of a site's own definitions, over those that ship.", file_okay=False),
]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"]
"""Forms of a time (UTC)."""
AsOf = Annotated[
    datetime | None,
    typer.Option(
        help="Make the night of that time (UTC), blind to what was measured later; as 2026-03-16T02:15.",
        formats=TIMES,
        metavar="TIME",
    ),
]


class Telemetry(StrEnum):
    """How much of a simulated fleet is measured."""

    FULL = "full"
    HOST_ONLY = "host-only"
    NO_PROBE = "no-probe"


def _version(value: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if value:
        typer.echo(f"brownout {brownout.__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version_: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Forecast and explain degradation of KVM guests: laggy consoles, hosts that run out of a resource."""


@app.command(rich_help_panel=START)
def demo(
    *, out: Out = Path("demo"), seed: Annotated[int, typer.Option(help="Seed of the simulated fleet.")] = 7
) -> None:
    """Simulate a small fleet with faults and run the nightly flow on it; needs no server."""
    from brownout.operate.demo import prepare_demo

    say(f"simulate: a small fleet into {out / 'fleet'}")
    config = prepare_demo(out, seed=seed)
    _run_flow(out=out, config=config)
    say("look first at what is going on: the incidents at the top, each with its cause and what to do")


@app.command("nightly", rich_help_panel=NIGHT)
def nightly_command(*, out: Out, config: Config = None, dataset: DatasetFolder = None, as_of: AsOf = None) -> None:
    """Sync, train, forecast, detect, diagnose, plan and report: the main job, as a Prefect flow."""
    _settings(config, dataset)
    _run_flow(out=out, config=config, dataset=dataset, as_of=as_of)


@app.command(rich_help_panel=NIGHT)
def sync(*, out: Out, config: Config = None, dataset: DatasetFolder = None, as_json: Json = False) -> None:
    """Bring what is new into the history."""
    from brownout.bootstrap import sync_history

    with progress_bars() as progress:
        result = sync_history(_settings(config, dataset), out, progress)
    if as_json:
        typer.echo(json.dumps({"slices": result.slices, "rows": result.rows, "watermark": str(result.watermark)}))
    else:
        typer.echo(f"{result.rows:,} rows in {result.slices} slices, up to {result.watermark}")


@app.command(rich_help_panel=NIGHT)
def train(*, out: Out, config: Config = None) -> None:
    """Train the models on the history and log them in MLflow."""
    from brownout.bootstrap import open_job

    job = open_job(load_settings(config), out)
    with job.alone("brownout train"), progress_bars() as progress:
        job.train(progress)
        for record in job.log_trainings():
            typer.echo(f"{record.name}\t{record.uri}")
    _end(job.effects)


@app.command(rich_help_panel=NIGHT)
def watch(
    *,
    out: Out,
    config: Config = None,
    as_of: AsOf = None,
    every: Annotated[
        float, typer.Option(min=0, help="Go on: bring what is new into the history and watch, every so many seconds.")
    ] = 0.0,
) -> None:
    """Forecast, detect, diagnose, plan and report with the models of the last training."""
    settings = load_settings(config)
    if not every:
        _end(_watch_once(settings, out, as_of))
        return
    from brownout.operate.watching import keep_watching, stopped_by_signals

    if as_of is not None:
        raise SettingsError("--as-of is one time, --every many.", remedy="Leave one of them out.")

    from brownout.nightly.effects.kept_models import KeptModels
    from brownout.nightly.passes.kept_results import KeptResults

    earlier = None if settings.cluster.scheduler else (KeptResults(), KeptModels())

    def one_pass() -> None:
        for line in _watch_once(settings, out, None, fresh=True, earlier=earlier).lines():
            say(line)

    keep_watching(one_pass, every, stopped_by_signals(), complain)


def _watch_once(
    settings: Settings,
    out: Path,
    as_of: datetime | None,
    *,
    fresh: bool = False,
    earlier: "tuple[KeptResults, KeptModels] | None" = None,
) -> "SideEffects":
    """A pass; ``fresh`` brings what is new into the history first, ``earlier`` is what passes before it found."""
    from brownout.bootstrap import open_job
    from brownout.store.night_lock import WATCH

    job = open_job(settings, out, as_of=moment(as_of))
    if earlier is not None:
        job = replace(job, kept_results=earlier[0], models=earlier[1])
    with job.alone(WATCH), progress_bars() as progress:
        if fresh:
            job.sync(progress)
        page = job.run(progress=progress)
    _announce(page)
    return job.effects


@app.command(rich_help_panel=START)
def doctor(
    *,
    config: Config = None,
    as_json: Json = False,
    telegraf_conf: Annotated[
        bool,
        typer.Option(
            "--telegraf-conf",
            help="Print a telegraf.conf for this hypervisor instead; with --config for the server of it.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder of the nights: say what the next one would send to whom.", file_okay=False),
    ] = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send a test to each receiver of alerts; without it none is told.")
    ] = False,
) -> None:
    """Check settings, server, permissions, measurements, their freshness and alerts; say what to do about each."""
    from dataclasses import asdict

    from brownout.bootstrap import clock, doctor_services
    from brownout.cli.doctor_table import show_checks
    from brownout.operate.checks import State
    from brownout.operate.doctor import examine
    from brownout.store.workspace import Workspace

    if telegraf_conf:
        _print_telegraf_conf(config)
        return
    if config is None:
        raise SettingsError("Nothing says what to examine.", remedy="Give --config FILE, or --telegraf-conf.")
    nights = None if out is None else Workspace(out)
    findings = examine(load_settings(config), doctor_services(), clock(), nights=nights, send_test=send_test)
    checks = list(findings)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        show_checks(checks)
    if any(check.state is State.BAD for check in checks):
        raise typer.Exit(1)


def _print_telegraf_conf(config: Path | None) -> None:
    from brownout.bootstrap import telegraf_output
    from brownout.ingest.mapping import TelegrafMapping
    from brownout.operate.telemetry_coverage import BROWNOUT, host_has, telegraf_conf

    executable = shutil.which("brownout")
    program = str(Path(executable).absolute()) if executable else BROWNOUT  # Telegraf has a path of its own
    output = telegraf_output(load_settings(config)) if config else None
    typer.echo(telegraf_conf(TelegrafMapping.load(), host_has, program, output), nl=False)


@app.command(rich_help_panel=START)
def simulate(  # noqa: PLR0913 - each option of a fleet is an option of the command
    folder: Annotated[Path | None, typer.Argument(help="Dataset folder to make.")] = None,
    *,
    to_influxdb: Annotated[
        Path | None,
        typer.Option(help="Settings file with the InfluxDB to fill, up to now.", exists=True, dir_okay=False),
    ] = None,
    hosts: Annotated[int, typer.Option(min=1, help="Hypervisors.")] = 4,
    vms: Annotated[int, typer.Option(min=1, help="Guests, spread evenly over the hosts.")] = 24,
    days: Annotated[float, typer.Option(min=0.1, help="Days of telemetry.")] = 14.0,
    interval: Annotated[int, typer.Option(min=1, help="Seconds between samples.")] = 60,
    seed: Annotated[int, typer.Option(help="Same seed, same fleet.")] = 0,
    faults: Annotated[int, typer.Option(min=0, help="Incidents to inject.")] = 0,
    pairs: Annotated[float, typer.Option(min=0, max=1, help="Share of incidents with another one beside them.")] = 0.0,
    faint: Annotated[float, typer.Option(min=0, max=1, help="Share of incidents that are hardly visible.")] = 0.0,
    migrations: Annotated[
        int, typer.Option(min=0, help="Live migrations over all days, within clusters of four hosts; no faults.")
    ] = 0,
    maintenance: Annotated[
        int, typer.Option(min=0, help="Announced maintenances of a host over all days, emptied first; no faults.")
    ] = 0,
    exclude_causes: Annotated[str, typer.Option(help="Causes never injected, separated by commas.")] = "",
    only_causes: Annotated[str, typer.Option(help="The only causes injected, separated by commas.")] = "",
    telemetry: Annotated[Telemetry, typer.Option(help="How much is measured.")] = Telemetry.FULL,
    knowledge: KnowledgeFolder = None,
) -> None:
    """Simulate a fleet into a dataset folder, with the truth about its faults, or into an InfluxDB like Telegraf."""
    from brownout.simulation import FleetSettings

    if folder is None and to_influxdb is None:
        raise SettingsError("Nothing says where the fleet goes.", remedy="Give a folder, --to-influxdb FILE, or both.")
    settings = FleetSettings(
        hosts=hosts,
        vms=vms,
        days=days,
        interval_s=interval,
        seed=seed,
        faults=faults,
        pairs=pairs,
        faint=faint,
        migrations=migrations,
        maintenance=maintenance,
        exclude_causes=_names(exclude_causes),
        only_causes=_names(only_causes),
        telemetry=telemetry.value,
        signatures=True,
    )
    _simulate(settings, folder, to_influxdb, knowledge)


def _simulate(settings: "FleetSettings", folder: Path | None, to_influxdb: Path | None, knowledge: Path | None) -> None:
    """A fleet that ends now where a database is filled with it."""
    from brownout.bootstrap import clock, open_database
    from brownout.operate.fill import fill, start_for
    from brownout.simulation import SimulationDefinitions
    from brownout.simulation import simulate as run
    from brownout.simulation.fleet import plan_fleet
    from brownout.simulation.fleet_dataset import stream_dataset

    influx = None
    if to_influxdb is not None:
        settings = replace(settings, start=start_for(clock(), settings.days, settings.interval_s))
        influx = load_settings(to_influxdb).influxdb
        if influx is None:
            raise SettingsError("The settings name no InfluxDB.", remedy="Add [influxdb] with its url; see examples/.")
    definitions = SimulationDefinitions.load(knowledge)
    with progress_bars() as progress:
        if folder is not None:
            stream_dataset(plan_fleet(settings, definitions), folder, name=folder.name, progress=progress)
            typer.echo(folder)
        if influx is not None:
            lines = fill(open_database(influx), run(settings, definitions), progress)
            typer.echo(f"{lines:,} lines written")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _settings(config: Path | None, dataset: Path | None) -> Settings:
    """Settings with the data set of the command line over the file's; a run without any is refused."""
    settings = load_settings(config, **({} if dataset is None else {"dataset": dataset}))
    if settings.dataset is None and settings.influxdb is None:
        msg = "Nothing says where the telemetry is."
        raise SettingsError(msg, remedy="Give --dataset DIR, or --config FILE with dataset or [influxdb] in it.")
    return settings


def _announce(report: Path) -> None:
    typer.echo(report)
    say(f"open it: {report.resolve().as_uri()}")


def _run_flow(
    *, out: Path, config: Path | None = None, dataset: Path | None = None, as_of: datetime | None = None
) -> None:
    """Run a night as the Prefect flow, or without Prefect where that is away, and say where its report is.

    Exit code 1 where a service beside the night failed.
    """
    from brownout.bootstrap import open_job
    from brownout_pipelines.runtime import prefect_environment, run_with_prefect_or_without

    def flow() -> tuple[str, tuple[str, ...], int]:
        from brownout_pipelines.nightly import nightly

        return nightly(out=out, config=config, dataset=dataset, as_of=as_of)

    def plain() -> tuple[str, tuple[str, ...], int]:
        with progress_bars() as progress:
            page = job.night(progress)
        return str(page), job.effects.lines(), job.effects.exit_code

    job = open_job(_settings(config, dataset), out, as_of=moment(as_of))
    with job.alone("brownout nightly"), prefect_environment(state=out / "prefect") as runtime:
        page, lines, code = run_with_prefect_or_without(
            runtime, flow=flow, plain=plain, tell=lambda problem: job.effects.fail("keep the run in Prefect", problem)
        )
    _announce(Path(page))
    for line in lines:
        say(line)
    if code:
        raise typer.Exit(code)


def _end(effects: "SideEffects") -> None:
    """Say what became of the services beside a night; exit code 1 where one failed."""
    for line in effects.lines():
        say(line)
    if effects.exit_code:
        raise typer.Exit(effects.exit_code)


def moment(time: datetime | None) -> "np.datetime64 | None":
    """A time of the command line, which is UTC."""
    import numpy as np

    return None if time is None else np.datetime64(time.replace(tzinfo=None), "ms")
