"""Commands and their options. Each imports what it needs when called, so that help does not wait for torch."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import brownout
from brownout.cli.night_commands import alone_in, run_night
from brownout.cli.talk import progress_bars, say
from brownout.domain.errors import SettingsError
from brownout.settings import Settings, load_settings

if TYPE_CHECKING:
    from brownout.simulation import FleetSettings

__all__ = ["app"]

app = typer.Typer(
    name="brownout",
    help="Forecast and explain degradation of KVM guests: laggy consoles, hosts that run out of a resource.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluate = typer.Typer(no_args_is_help=True, help="Judge forecasts, detection or diagnosis on a dataset folder.")
app.add_typer(evaluate, name="evaluate")

Out = Annotated[Path, typer.Option(help="Folder for everything the command writes.", file_okay=False)]
ConfigOption = typer.Option(help="Settings file (TOML).", exists=True, dir_okay=False)
Config = Annotated[Path | None, ConfigOption]
DatasetFolder = Annotated[Path | None, typer.Option(help="Dataset folder to read.", exists=True, file_okay=False)]
DatasetArgument = Annotated[Path, typer.Argument(help="Dataset folder.", exists=True, file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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


@app.command()
def demo(
    *, out: Out = Path("demo"), seed: Annotated[int, typer.Option(help="Seed of the simulated fleet.")] = 7
) -> None:
    """Simulate a small fleet with faults and run the nightly flow on it; needs no server."""
    from brownout.operate.demo import prepare_demo

    with alone_in(out, "demo"):
        say(f"simulate: a small fleet into {out / 'fleet'}")
        config = prepare_demo(out, seed=seed)
        _announce(run_night(out, config, None))


@app.command("nightly")
def nightly_command(*, out: Out, config: Config = None, dataset: DatasetFolder = None) -> None:
    """Sync, train, forecast, detect, diagnose, plan and report: the main job, as a Prefect flow."""
    _settings(config, dataset)
    with alone_in(out, "nightly"):
        _announce(run_night(out, config, dataset))


@app.command()
def sync(*, out: Out, config: Config = None, dataset: DatasetFolder = None, as_json: Json = False) -> None:
    """Bring what is new into the history."""
    from brownout.nightly.run import bring
    from brownout.nightly.workspace import Workspace

    with progress_bars() as progress:
        result = bring(_settings(config, dataset), Workspace(out), progress)
    if as_json:
        typer.echo(json.dumps({"slices": result.slices, "rows": result.rows, "watermark": str(result.watermark)}))
    else:
        typer.echo(f"{result.rows:,} rows in {result.slices} slices, up to {result.watermark}")


@app.command()
def train(*, out: Out, config: Config = None) -> None:
    """Train the models on the history and log them in MLflow."""
    from brownout.nightly.run import train_models
    from brownout.nightly.workspace import Workspace

    with alone_in(out, "train"), progress_bars() as progress:
        for trained in train_models(load_settings(config), Workspace(out), progress):
            typer.echo(f"{trained.name}\t{trained.uri}")


@app.command()
def watch(*, out: Out, config: Config = None) -> None:
    """Forecast, detect, diagnose, plan and report with the models of the last training."""
    from brownout.nightly.run import watch_fleet
    from brownout.nightly.workspace import Workspace

    with alone_in(out, "watch"), progress_bars() as progress:
        _announce(watch_fleet(load_settings(config), Workspace(out), progress))


@app.command()
def doctor(
    *,
    config: Config = None,
    as_json: Json = False,
    telegraf_conf: Annotated[
        bool, typer.Option("--telegraf-conf", help="Print a complete telegraf.conf for hypervisors instead.")
    ] = False,
) -> None:
    """Check settings, server, permissions, measurements and their freshness; say what to do about each finding."""
    from dataclasses import asdict

    from brownout.cli.doctor_table import show_checks
    from brownout.operate.doctor import State, examine
    from brownout.operate.open_sources import clock

    if telegraf_conf:
        _print_telegraf_conf()
        return
    if config is None:
        raise SettingsError("Nothing says what to examine.", remedy="Give --config FILE, or --telegraf-conf.")
    checks = list(examine(load_settings(config), clock()))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        show_checks(checks)
    if any(check.state is State.BAD for check in checks):
        raise typer.Exit(1)


def _print_telegraf_conf() -> None:
    from brownout.ingest.mapping import TelegrafMapping
    from brownout.operate.telemetry_coverage import telegraf_conf

    typer.echo(telegraf_conf(TelegrafMapping.load()), nl=False)


@app.command()
def simulate(  # noqa: PLR0913 - each option of a fleet is an option of the command
    folder: Annotated[Path | None, typer.Argument(help="Dataset folder to make.")] = None,
    *,
    to_influxdb: Annotated[
        Path | None,
        typer.Option(help="Settings file with the InfluxDB to fill, up to now.", exists=True, dir_okay=False),
    ] = None,
    hosts: Annotated[int, typer.Option(min=1)] = 4,
    vms: Annotated[int, typer.Option(min=1)] = 24,
    days: Annotated[float, typer.Option(min=0.1)] = 14.0,
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
    _simulate(settings, folder, to_influxdb)


def _simulate(settings: "FleetSettings", folder: Path | None, to_influxdb: Path | None) -> None:
    """A fleet that ends now where a database is filled with it."""
    from dataclasses import replace

    from brownout.operate.fill import fill, start_for
    from brownout.simulation import simulate as run
    from brownout.simulation.fleet import plan_fleet
    from brownout.simulation.fleet_dataset import stream_dataset

    if to_influxdb is not None:
        settings = replace(settings, start=start_for(settings.days, settings.interval_s))
    with progress_bars() as progress:
        if folder is not None:
            stream_dataset(plan_fleet(settings), folder, name=folder.name, progress=progress)
            typer.echo(folder)
        if to_influxdb is not None:
            lines = fill(load_settings(to_influxdb), run(settings), progress)
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
