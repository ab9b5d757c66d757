"""Doctor: can a night be made of these settings, and if not, what to do about it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brownout.domain.calendar import Calendar
from brownout.domain.errors import BrownoutError
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import MeasurementSource, Names, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema, TelemetryDatabase
from brownout.operate.checks import Check, State
from brownout.operate.fleet_seen import fleet_checks
from brownout.operate.receivers_seen.alerts_to_send import alerts_to_send
from brownout.operate.receivers_seen.receiver_checks import Receiver, receiver_checks
from brownout.operate.sources_seen.odd_values import some
from brownout.operate.telemetry_coverage import (
    collectors,
    missing_evidence,
    of_collectors,
    recognised,
    usable,
    whole_cost,
)
from brownout.settings import AlertSettings, InfluxSettings, Settings
from brownout.store.dataset import Dataset
from brownout.store.workspace import Workspace

if TYPE_CHECKING:
    from brownout.diagnosis.knowledge.knowledge_base import Knowledge
    from brownout.site_knowledge import Definitions

__all__ = ["Check", "DoctorServices", "State", "examine"]

STALE_S = 900
"""Older than this a measurement has stopped: Telegraf gathers every ten to sixty seconds."""
STALE_LABELS_S = 3600
"""Older than this a measurement of configuration has stopped: it is written less often."""
SEVERITY = (State.GOOD, State.WARNING, State.BAD)
TELEGRAF = "Telegraf"
BALLOON = "libvirt_balloon"
OWN = ("brownout facts", "console probe")
"""Inputs that write what there is: a field that is not there is no fault."""
ADVICE = {
    "nstat": "[[inputs.nstat]] dump_zeros = true",
    "procstat": '[[inputs.procstat]] properties = ["cpu", "memory", "mmap"]',
    "cpu": "[[inputs.cpu]] percpu = true, totalcpu = true",
}
"""Where the first line of the advice is not the one that is missing."""
LISTED = 5
"""Names that a line has room for."""
WRITTEN_BACK = "brownout_"
AHEAD = np.timedelta64(2 * 60_000, "ms")
"""Further in the future than this a clock is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorServices:
    """What the doctor needs besides the settings: functions that reach the database, the files and the receivers.

    ``connect`` raises a BrownoutError where no database can be reached, ``calendar`` where a calendar file cannot be
    read; ``definitions`` reads what ships and a site's folder over it, once a server answers; ``secrets`` are the
    environment variables that hold a password or token; ``receivers`` gives who is told of alerts, each by itself.
    """

    connect: Callable[[InfluxSettings], TelemetryDatabase]
    definitions: "Callable[[Path | None], Definitions]"
    calendar: Callable[[Settings], Calendar]
    has_secret: Callable[[InfluxSettings], bool]
    secrets: tuple[str, ...]
    receivers: Callable[[AlertSettings], Sequence[Receiver]]


def examine(
    settings: Settings,
    services: DoctorServices,
    now: np.datetime64,
    *,
    nights: Workspace | None = None,
    send_test: bool = False,
) -> Iterator[Check]:
    """Check settings, connection, permissions, measurements, freshness and alerts, in the order of a night's needs.

    ``nights`` is where the nights are: then what the next one would send is said too. Nothing is sent to a receiver of
    alerts unless ``send_test`` asks for a test.
    """
    if settings.dataset is not None:
        yield _dataset(settings)
    yield from _maintenance(settings, services)
    if settings.influxdb is not None:
        yield from _influxdb(settings.influxdb, settings.knowledge, services, now)
    if settings.dataset is None and settings.influxdb is None:
        yield Check(
            state=State.BAD,
            about="settings",
            found="neither dataset nor [influxdb] is set",
            do="Set one of them; see examples/.",
        )
    yield from receiver_checks(settings.alerts, services.receivers, now, send_test=send_test)
    if nights is not None:
        with suppress(BrownoutError):  # receivers that cannot be listed are told above
            yield alerts_to_send(nights, settings.alerts, services.receivers(settings.alerts), now)


def _dataset(settings: Settings) -> Check:
    try:
        data = Dataset.open(settings.dataset)  # type: ignore[arg-type]
        spans = data.spans().values()
    except BrownoutError as error:
        return Check(state=State.BAD, about="dataset", found=error.what, do=error.remedy)
    if not spans:
        return Check(state=State.BAD, about="dataset", found=f"{data.name} has no samples", do="Give one that has.")
    first, last = min(s.first for s in spans), max(s.last for s in spans)
    finding = f"{data.name}: {len(spans)} entities, {len(data.metrics)} metrics, {first} to {last}"
    return Check(state=State.GOOD, about="dataset", found=finding)


def _maintenance(settings: Settings, services: DoctorServices) -> Iterator[Check]:
    """Windows that name something that is not there: a typing error would leave what was meant watched."""
    try:
        windows = services.calendar(settings).windows
    except BrownoutError as error:
        yield Check(state=State.BAD, about="maintenance", found=error.what, do=error.remedy)
        return
    if settings.dataset is None:
        return
    try:
        topology = Dataset.open(settings.dataset).topology
    except BrownoutError:
        return
    for window in windows:
        unknown = window.unknown(topology)
        if unknown:
            finding = f"window {window.name!r}: nothing is called {', '.join(unknown)}"
            do = "Correct its entities; * and ? stand for any text and any sign."
            yield Check(state=State.WARNING, about="maintenance", found=finding, do=do)


def _influxdb(
    settings: InfluxSettings, site: Path | None, services: DoctorServices, now: np.datetime64
) -> Iterator[Check]:
    secret = services.has_secret(settings)
    try:
        database = services.connect(settings)
        schemas = database.schemas()  # a server answers before anybody knows whether there is such a bucket
    except BrownoutError as error:
        do = "" if secret else f" If it asks for one, set {' or '.join(services.secrets)}, or secret_file."
        yield Check(state=State.BAD, about="server", found=error.what, do=error.remedy + do)
        return
    yield Check(state=State.GOOD, about="server", found=database.label + ("" if secret else ", without a password"))
    if schemas:
        yield Check(state=State.GOOD, about="read", found=f"{len(schemas)} measurements can be listed")
    else:
        do = "See that Telegraf writes to it, and that the user or token may read it."
        yield Check(state=State.BAD, about="read", found="there is no measurement in it that we may read", do=do)
    if settings.write_back:
        yield _may_write(database)
    if schemas:
        yield from _telemetry(settings, lambda: services.definitions(site), database, schemas, now)


def _telemetry(
    settings: InfluxSettings,
    load: "Callable[[], Definitions]",
    database: TelemetryDatabase,
    schemas: Mapping[str, MeasurementSchema],
    now: np.datetime64,
) -> Iterator[Check]:
    names = Names(ids=settings.ids, aliases=settings.aliases, hosts=settings.hosts)
    try:
        definitions = load()
        mapping = TelegrafMapping.load(settings.mapping, names=names, catalogue=definitions.catalogue)
    except BrownoutError as error:
        yield Check(state=State.BAD, about="definitions", found=error.what, do=error.remedy)
        return
    speaking = collectors(mapping, schemas)
    if not speaking:
        yield _foreign(mapping, schemas)
        return
    yield Check(state=State.GOOD, about="collectors", found=", ".join(speaking))
    try:
        reader = Canonicaliser(database, mapping, settings.interval_s, names)
        yield from fleet_checks(reader, schemas, now, definitions.knowledge)
    except BrownoutError as error:
        yield Check(state=State.BAD, about="fleet", found=error.what, do=error.remedy)
    own = of_collectors(mapping, schemas)
    if TELEGRAF not in speaking:
        own = replace(own, sources=tuple(source for source in own.sources if source.collector != TELEGRAF.lower()))
    yield from _inputs(database, own, schemas, now)
    yield _causes(mapping, usable(mapping, schemas), definitions.knowledge)


def _foreign(mapping: TelegrafMapping, schemas: Mapping[str, MeasurementSchema]) -> Check:
    """A database of which nothing can be used: what is in it."""
    known = recognised(mapping, schemas)
    if known:
        finding = "nothing here can be used: " + "; ".join(f"{what} lacks {gone}" for what, gone in known[:LISTED])
        do = "Write these too; or map what is there in a file, influxdb.mapping: models/collectors/ has examples."
    else:
        others = sorted(name for name in schemas if not name.startswith(WRITTEN_BACK))
        names = some(others) or "nothing but what brownout wrote back"
        finding = f"no collector that is known writes here: found {names}"
        do = "Describe its measurements in a file, influxdb.mapping: models/collectors/ has examples."
    return Check(state=State.BAD, about="collectors", found=f"{finding}; no cause can be named", do=do)


def _may_write(database: TelemetryDatabase) -> Check:
    """A comment is a valid write of no points: it asks for the permission and changes nothing."""
    try:
        database.write(["# brownout doctor\n"])
    except BrownoutError as error:
        do = f"{error.remedy} Or set write_back = false."
        return Check(state=State.BAD, about="write", found=error.what, do=do)
    return Check(state=State.GOOD, about="write", found="findings may be written back")


def _inputs(
    database: TelemetryDatabase, mapping: TelegrafMapping, schemas: Mapping[str, MeasurementSchema], now: np.datetime64
) -> Iterator[Check]:
    """One finding for each input that writes data: its freshness, and its missing fields."""
    by_input: dict[str, list[str]] = {}
    for source in mapping.sources:
        if source.measurement in schemas and source.measurement not in by_input.get(source.input, ()):
            by_input.setdefault(source.input, []).append(source.measurement)
    for name, measurements in by_input.items():
        parts = [
            check
            for measurement in measurements
            if (check := _measurement(database, _of_input(mapping, measurement, name), schemas, now)) is not None
        ]
        if parts:
            yield _one(name, parts)


def _one(name: str, parts: Sequence[Check]) -> Check:
    """Findings about the measurements of an input as one: what is said of several once."""
    worst = max(parts, key=lambda check: SEVERITY.index(check.state))
    subjects_by_finding: dict[str, list[str]] = {}
    for check in parts:
        subjects_by_finding.setdefault(check.found, []).append(check.about)
    plain = len(subjects_by_finding) == 1
    finding = "; ".join(text if plain else f"{', '.join(about)}: {text}" for text, about in subjects_by_finding.items())
    remedies = dict.fromkeys(check.do for check in parts if check.do)
    return Check(state=worst.state, about=name, found=finding, do="; ".join(remedies))


def _of_input(mapping: TelegrafMapping, measurement: str, name: str) -> tuple[MeasurementSource, ...]:
    return tuple(source for source in mapping.measurements[measurement] if source.input == name)


def _measurement(
    database: TelemetryDatabase,
    sources: Sequence[MeasurementSource],
    schemas: Mapping[str, MeasurementSchema],
    now: np.datetime64,
) -> Check | None:
    """Freshness of a measurement and what it lacks; None where none of it is the input's."""
    measurement = sources[0].measurement
    schema = schemas[measurement]
    fields = list(dict.fromkeys(name for source in sources for name in source.needs))
    present = tuple(name for name in fields if name in schema.fields)
    texts = [name for name in fields if name in schema.texts]
    if not present and not texts:
        return None
    check = _freshness(database, measurement, present, now, _patience(sources))
    available = {name for source in sources for name in source.makes(schemas)}
    lost = {name for source in sources for name in source.metrics} - available
    absent = [name for name in fields if name not in (*present, *texts)]
    if lost and absent and measurement != BALLOON:  # that is told guest by guest
        finding = f"{check.found}; lacks {some(absent)}{_why(measurement, absent)}"
        advice = ADVICE.get(measurement) or next((source.advice for source in sources if source.advice), "")
        optional = sources[0].input in OWN
        state = check.state if optional else max(check.state, State.WARNING, key=SEVERITY.index)
        check = replace(check, state=state, found=finding, do=check.do or ("" if optional else advice))
    if texts:
        finding = f"{check.found}; {', '.join(texts)} holds text in some shards: the text is left out, numbers are read"
        check = replace(check, state=State.BAD, found=finding, do="Find who writes it as text; drop that.")
    return check


def _causes(mapping: TelegrafMapping, schemas: Mapping[str, MeasurementSchema], knowledge: "Knowledge") -> Check:
    number, blind = whole_cost(mapping, schemas, knowledge)
    if not blind:
        return Check(state=State.GOOD, about="causes", found=f"{number} can be named")
    return Check(
        state=State.WARNING if number else State.BAD,
        about="causes",
        found=f"{number} can be named, {len(blind)} cannot",
        do="Add the lines of the table; `brownout doctor --telegraf-conf` prints them whole.",
        table=(("add", "to be told of"), *missing_evidence(mapping, schemas, knowledge)),
    )


def _patience(sources: Sequence[MeasurementSource]) -> np.timedelta64:
    """How old the newest sample of a measurement may be."""
    seconds = max((STALE_LABELS_S if s.labels and not s.metrics else s.hold_s for s in sources), default=0)
    return np.timedelta64(max(seconds, STALE_S) * 1000, "ms")


def _freshness(
    database: TelemetryDatabase,
    measurement: str,
    fields: tuple[str, ...],
    now: np.datetime64,
    patience: np.timedelta64,
) -> Check:
    try:
        newest = database.newest(measurement, fields)
    except BrownoutError as error:
        return Check(state=State.BAD, about=measurement, found=error.what, do=error.remedy)
    if newest is None:
        return Check(
            state=State.WARNING, about=measurement, found="has no recent samples", do="See that Telegraf runs."
        )
    age = now - newest
    if age > patience:
        finding = f"newest sample is {_span(age)} old"
        return Check(
            state=State.WARNING, about=measurement, found=finding, do="See that Telegraf runs: its log says why."
        )
    if -age > AHEAD:
        finding = f"newest sample is {_span(-age)} in the future"
        do = "Correct the clock of the host that writes it (chronyc tracking)."
        return Check(state=State.WARNING, about=measurement, found=finding, do=do)
    return Check(state=State.GOOD, about=measurement, found=f"newest sample is {_span(max(age, age * 0))} old")


def _why(measurement: str, absent: Sequence[str]) -> str:
    """What an absent field usually means."""
    if measurement == "diskio" and "io_await" in absent:
        return ": Telegraf is older than 1.33, or no request completed"
    if measurement == "nstat":
        return ": a counter that is still 0 is not written"
    return ""


def _span(age: np.timedelta64) -> str:
    seconds = int(age / np.timedelta64(1, "s"))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
