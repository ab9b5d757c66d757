"""Bootstrap: the only place that builds adapters, from the settings, and hands them to the use cases.

Each function imports what it builds when it is called, so that a command waits for nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.errors import BrownoutError, OrchestrationError, SettingsError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from brownout.domain.metrics import Catalogue
    from brownout.domain.ports import AlertReceiver, Map, NoticeChannel, Progress, SampleStore, Tracker
    from brownout.ingest.line_protocol import Points
    from brownout.ingest.raw import TelemetryDatabase
    from brownout.maintenance_settings import MaintenanceSettings
    from brownout.nightly.context import NightContext
    from brownout.nightly.effects.alerting import Alerting
    from brownout.nightly.effects.write_back import Sink
    from brownout.operate.doctor import DoctorServices
    from brownout.operate.night_job import NightJob
    from brownout.operate.receivers_seen.receiver_checks import Receiver
    from brownout.operate.sources import DatabaseSource, Source
    from brownout.operate.sync import SyncResult
    from brownout.operate.telemetry_coverage import Output
    from brownout.settings import AlertSettings, ClusterSettings, InfluxSettings, Settings
    from brownout.site_knowledge import Definitions
    from brownout.store.workspace import Workspace

__all__ = [
    "alert_receivers",
    "archive_server",
    "clock",
    "doctor_services",
    "guest_labels",
    "hypervisor_facts",
    "model_folder",
    "open_alerting",
    "open_calendar",
    "open_cluster",
    "open_database",
    "open_job",
    "open_source",
    "open_tracker",
    "source_of",
    "sync_history",
    "telegraf_output",
]


def clock() -> np.datetime64:
    """Now, UTC."""
    return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ms")


def open_job(settings: "Settings", out: Path, *, as_of: np.datetime64 | None = None) -> "NightJob":
    """A night in an output folder, with everything that it reads and writes."""
    from brownout.nightly.effects.publish import Services
    from brownout.operate.night_job import NightJob
    from brownout.store.workspace import Workspace

    workspace, now = Workspace(out), clock()
    influx = settings.influxdb
    sink = None if influx is None or not influx.write_back else (lambda: _sink(influx))
    return NightJob(
        settings=settings,
        workspace=workspace,
        now=now,
        as_of=as_of,
        calendar=open_calendar(settings),
        open_source=lambda: open_source(settings, now),
        open_cluster=partial(open_cluster, settings.cluster, workspace) if settings.cluster.scheduler else None,
        services=Services(
            open_sink=sink,
            open_tracker=lambda: open_tracker(settings, workspace),
            alerting=None if as_of is not None else open_alerting(settings.alerts),
        ),
    )


@contextmanager
def open_cluster(
    settings: "ClusterSettings", workspace: "Workspace", context: "NightContext"
) -> "Iterator[tuple[Map, NightContext]]":
    """A map on the Dask cluster of the settings, and the context as its workers have it.

    Raises OrchestrationError where the scheduler cannot be reached, HistoryError where the history cannot be copied.
    """
    try:
        from brownout.adapters.cluster.dask_map import dask_cluster
        from brownout.adapters.cluster.object_history import copy_history
    except ImportError as error:
        remedy = "In brownout's clone: `pip install -c constraints.txt '.[cluster]'`, or leave `cluster.scheduler` out."
        raise OrchestrationError(f"The settings name a cluster, and {error.name} is missing.", remedy=remedy) from error
    from brownout.nightly.effects.side_effects import is_transient
    from brownout.store.as_of import StoreAsOf
    from brownout.store.history import History

    with dask_cluster(settings.scheduler, is_transient=is_transient, patience_s=settings.patience_s) as on_workers:
        history = History.open(workspace.history.resolve())
        store: SampleStore = copy_history(history, settings.history) if settings.history else history
        if isinstance(context.store, StoreAsOf):
            store = replace(context.store, store=store)
        yield on_workers, replace(context, store=store)


def sync_history(settings: "Settings", out: Path, progress: "Progress") -> "SyncResult":
    """Bring what is new into the history, without the libraries of the models: they take 300 MB and seconds."""
    from brownout.operate.sync import sync_kept
    from brownout.store.workspace import Workspace

    return sync_kept(open_source(settings, clock()), Workspace(out).history, settings.history, progress)


def open_alerting(settings: "AlertSettings") -> "Alerting":
    """Alertmanager and the ways to people that the settings name."""
    from brownout.nightly.effects.alerting import Alerting

    def receiver() -> "AlertReceiver":
        from brownout.adapters.alertmanager import Alertmanager

        return Alertmanager.open(settings)

    def channels(complain: Callable[[BrownoutError], None]) -> "list[NoticeChannel]":
        usable = []
        for _, opened in _ways_to_people(settings):
            try:
                usable.append(opened())
            except BrownoutError as error:
                complain(error)
        return usable

    people = bool(settings.apprise or settings.apprise_file or settings.pagerduty)
    return Alerting(
        settings=settings,
        open_receiver=receiver if settings.alertmanager else None,
        open_channels=channels if people else None,
    )


def alert_receivers(settings: "AlertSettings") -> "list[Receiver]":
    """Each receiver of the settings by itself, so that one that cannot be used hides no other."""
    from brownout.adapters.alertmanager import Alertmanager
    from brownout.operate.receivers_seen.receiver_checks import Receiver

    receivers = []
    if settings.alertmanager:
        receivers.append(Receiver(name="Alertmanager", keeps=lambda: Alertmanager.open(settings)))
    return receivers + [Receiver(name=name, tells=opened) for name, opened in _ways_to_people(settings)]


def _ways_to_people(settings: "AlertSettings") -> "Iterator[tuple[str, Callable[[], NoticeChannel]]]":
    """The name of each way to people and what opens it, which may raise a BrownoutError."""
    from brownout.adapters.apprise_notifier import apprise_openers
    from brownout.adapters.pagerduty import PagerDuty

    yield from apprise_openers(settings)
    if settings.pagerduty:
        yield "PagerDuty", partial(PagerDuty.open, settings)


def archive_server(out: Path) -> "MCPServer[Any]":
    """A server of MCP over the archive of an output folder; raises SettingsError where its package is missing."""
    from brownout import __version__
    from brownout.operate.night_archive.archive_reader import ArchiveReader
    from brownout.store.workspace import Workspace

    try:
        from brownout.adapters.assistants.archive_server import archive_server as server_of
    except ImportError as error:
        remedy = "In brownout's clone: `pip install -c constraints.txt '.[mcp]'`."
        raise SettingsError(f"The package {error.name} is missing.", remedy=remedy) from error
    return server_of(ArchiveReader(Workspace(out)), __version__)


def open_calendar(settings: "Settings") -> Calendar:
    """All windows of maintenance; raises SettingsError where a calendar file cannot be read."""
    return Calendar(tuple(_window(section) for section in settings.maintenance))


def _window(section: "MaintenanceSettings") -> Maintenance:
    if section.ics is None:
        return section.window
    from brownout.adapters.ical import IcalEvents

    return replace(section.window, listed=IcalEvents.open(section.ics, section.window.zone))


def open_source(settings: "Settings", now: np.datetime64) -> "Source":
    """The data set or database of the settings; raises SettingsError where they name none or both."""
    from brownout.domain.metrics import Catalogue
    from brownout.ingest.named_samples import NamedSamples
    from brownout.operate.sources import DatasetSource
    from brownout.store.dataset import Dataset

    if (settings.dataset is None) == (settings.influxdb is None):
        what = "Nothing says" if settings.dataset is None else "Both dataset and influxdb say"
        remedy = "Give --dataset DIR, or --config FILE with either dataset or [influxdb] in it."
        raise SettingsError(f"{what} where the telemetry is.", remedy=remedy)
    if settings.dataset is not None:
        samples = Dataset.open(settings.dataset, catalogue=Catalogue.load(settings.knowledge))
        return DatasetSource(NamedSamples(samples))
    influx = settings.influxdb
    if influx is None:
        raise SettingsError("Nothing says where the telemetry is.", remedy="Give --dataset DIR or --config FILE.")
    return source_of(influx, open_database(influx), now, Catalogue.load(settings.knowledge))


def source_of(
    settings: "InfluxSettings", database: "TelemetryDatabase", now: np.datetime64, catalogue: "Catalogue | None" = None
) -> "DatabaseSource":
    """A database as a source of telemetry, read through the mapping of the site."""
    from brownout.ingest.canonical import Canonicaliser
    from brownout.ingest.mapping import Names, TelegrafMapping
    from brownout.numerics.slots import days
    from brownout.operate.sources import DatabaseSource

    names = Names(ids=settings.ids, aliases=settings.aliases, hosts=settings.hosts)
    mapping = TelegrafMapping.load(settings.mapping, names=names, catalogue=catalogue)
    return DatabaseSource(
        Canonicaliser(database, mapping, settings.interval_s, names),
        since=now - days(settings.history_days),
        now=now,
        lookback=days(settings.lookback_minutes / 1440),
        reread=tuple(days(age) for age in settings.reread_days),
    )


def open_database(settings: "InfluxSettings") -> "TelemetryDatabase":
    """The InfluxDB of the settings; raises DatabaseError where it cannot be reached."""
    from brownout.adapters.influx.connect import connect

    return connect(settings)


def _sink(settings: "InfluxSettings") -> "Sink":
    from brownout.ingest.line_protocol import batches

    database = open_database(settings)

    def write(points: "Iterable[Points]") -> int:
        return database.write(chain.from_iterable(batches(part) for part in points))

    return write


def open_tracker(settings: "Settings", workspace: "Workspace") -> "Tracker":
    """MLflow, in a sqlite file of the output folder where the settings name no store."""
    from brownout.adapters.tracking import MlflowTracker

    tracking = settings.tracking
    if not tracking.uri:
        return MlflowTracker.in_folder(workspace.out, tracking.experiment)
    return MlflowTracker(tracking.uri, tracking.experiment, workspace.out / "mlflow-artifacts")


def model_folder(model: str, out: Path, settings: "Settings") -> Path:
    """The folder itself, or the artifacts behind ``models:/…`` or ``runs:/…`` copied below ``out``."""
    from brownout.store.workspace import Workspace

    if not model.startswith(("models:/", "runs:/")):
        return Path(model)
    return open_tracker(settings, Workspace(out)).fetch(model, out / "fetched")


def doctor_services() -> "DoctorServices":
    """The functions through which the doctor reaches databases, files and receivers."""
    from brownout.adapters.influx.connect import FEW_ATTEMPTS, SECRETS, connect, secret
    from brownout.operate.doctor import DoctorServices

    def definitions(site: Path | None) -> "Definitions":
        from brownout.site_knowledge import load_definitions

        return load_definitions(site)

    return DoctorServices(
        connect=lambda influx: connect(influx, attempts=FEW_ATTEMPTS),
        definitions=definitions,
        calendar=open_calendar,
        has_secret=lambda influx: bool(secret(influx)),
        secrets=SECRETS,
        receivers=alert_receivers,
    )


def telegraf_output(settings: "Settings") -> "Output":
    """Where the Telegraf of a site writes to: what answers at the address, else what the settings say."""
    from brownout.adapters.influx.connect import identify
    from brownout.operate.telemetry_coverage import Output

    influx = settings.influxdb
    if influx is None:
        return Output()
    generation = int(influx.version or (2 if influx.org else 0))
    if not generation:
        try:
            generation = identify(influx).generation
        except BrownoutError:
            generation = 0
    name = influx.bucket if generation == 2 else influx.database
    return Output(generation=generation, url=influx.url, org=influx.org or "ORGANISATION", name=name)


def hypervisor_facts(
    connect: str, host: str, maintenance: Path, complain: Callable[[BrownoutError], None]
) -> Iterator[str]:
    """Lines about a hypervisor and its guests; guests alone where ``connect`` names the libvirt of another host."""
    from brownout.adapters.hypervisor.facts import guest_facts, host_facts
    from brownout.adapters.hypervisor.kernel import Kernel
    from brownout.adapters.hypervisor.virsh import Virsh

    tags = {"host": host} if host else {}
    kernel = None if connect else Kernel()
    if kernel:
        yield from host_facts(kernel, tags, maintenance)
    yield from guest_facts(Virsh(connect), tags, kernel, complain)


def guest_labels(documents: Iterable[str]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Columns and rows of the configuration of guests, from what ``virsh dumpxml`` prints of each."""
    from brownout.adapters.hypervisor.domain_xml import LABELS, read_domain

    rows = [{"entity": name, **labels} for name, labels in map(read_domain, documents)]
    return ("entity", *LABELS), rows
