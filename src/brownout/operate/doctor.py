"""Doctor: can a night be made of these settings, and if not, what to do about it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.calendar import Calendar
from brownout.domain.errors import BrownoutError
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import MeasurementSource, Names, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema, TelemetryDatabase
from brownout.operate.checks import Check, State
from brownout.operate.fleet_seen import fleet_checks
from brownout.operate.telemetry_coverage import collectors, missing_evidence, of_collectors, whole_cost
from brownout.settings import InfluxSettings, Settings
from brownout.site_knowledge import load_definitions
from brownout.store.dataset import Dataset

__all__ = ["Check", "State", "Surroundings", "examine"]

STALE_S = 900
"""Older than this a measurement has stopped: Telegraf gathers every ten to sixty seconds."""
STALE_LABELS_S = 3600
"""The same of configuration, which need not be looked at so often."""
SEVERITY = (State.GOOD, State.WARNING, State.BAD)
AHEAD = np.timedelta64(2 * 60_000, "ms")
"""Further in the future than this a clock is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is examined besides the settings.

    ``connect`` raises a BrownoutError where no database can be reached, ``calendar`` where a calendar file cannot be
    read; ``secrets`` are the environment variables that hold a password or token.
    """

    connect: Callable[[InfluxSettings], TelemetryDatabase]
    calendar: Callable[[Settings], Calendar]
    has_secret: Callable[[InfluxSettings], bool]
    secrets: tuple[str, ...]


def examine(settings: Settings, surroundings: Surroundings, now: np.datetime64) -> Iterator[Check]:
    """Check settings, connection, permissions, measurements and freshness, in the order of a night's needs."""
    if settings.dataset is not None:
        yield _dataset(settings)
    yield from _maintenance(settings, surroundings)
    if settings.influxdb is not None:
        yield from _influxdb(settings.influxdb, settings.knowledge, surroundings, now)
    if settings.dataset is None and settings.influxdb is None:
        yield Check(
            state=State.BAD,
            about="settings",
            found="neither dataset nor [influxdb] is set",
            do="Set one of them; see examples/.",
        )


def _dataset(settings: Settings) -> Check:
    try:
        data = Dataset.open(settings.dataset)  # type: ignore[arg-type]
        spans = data.spans().values()
    except BrownoutError as error:
        return Check(state=State.BAD, about="dataset", found=error.what, do=error.remedy)
    if not spans:
        return Check(state=State.BAD, about="dataset", found=f"{data.name} has no samples", do="Give one that has.")
    first, last = min(s.first for s in spans), max(s.last for s in spans)
    found = f"{data.name}: {len(spans)} entities, {len(data.metrics)} metrics, {first} to {last}"
    return Check(state=State.GOOD, about="dataset", found=found)


def _maintenance(settings: Settings, surroundings: Surroundings) -> Iterator[Check]:
    """Windows that name something that is not there: a typing error would leave what was meant watched."""
    try:
        windows = surroundings.calendar(settings).windows
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
            found = f"window {window.name!r}: nothing is called {', '.join(unknown)}"
            do = "Correct its entities; * and ? stand for any text and any sign."
            yield Check(state=State.WARNING, about="maintenance", found=found, do=do)


def _influxdb(
    settings: InfluxSettings, site: Path | None, surroundings: Surroundings, now: np.datetime64
) -> Iterator[Check]:
    if surroundings.has_secret(settings):
        yield Check(state=State.GOOD, about="secret", found="a password or token is there")
    else:
        do = f"Set {' or '.join(surroundings.secrets)}, or secret_file, if the server asks for one."
        yield Check(state=State.WARNING, about="secret", found="no password or token", do=do)
    try:
        database = surroundings.connect(settings)
        schemas = database.schemas()  # a server answers before anybody knows whether there is such a bucket
    except BrownoutError as error:
        yield Check(state=State.BAD, about="server", found=error.what, do=error.remedy)
        return
    yield Check(state=State.GOOD, about="server", found=database.label)
    if schemas:
        yield Check(state=State.GOOD, about="read", found=f"{len(schemas)} measurements can be listed")
    else:
        do = "See that Telegraf writes to it, and that the user or token may read it."
        yield Check(state=State.BAD, about="read", found="there is no measurement in it that we may read", do=do)
    if settings.write_back:
        yield _may_write(database)
    names = Names(ids=settings.ids, aliases=settings.aliases, hosts=settings.hosts)
    if not schemas:
        return
    try:
        definitions = load_definitions(site)
        mapping = TelegrafMapping.load(settings.mapping, names=names, catalogue=definitions.catalogue)
    except BrownoutError as error:
        yield Check(state=State.BAD, about="definitions", found=error.what, do=error.remedy)
        return
    speaking = collectors(mapping, schemas)
    said = ", ".join(speaking) or "no collector that is known"
    do = "" if speaking else "Describe its measurements in a file, influxdb.mapping: models/collectors/ has examples."
    yield Check(state=State.GOOD if speaking else State.BAD, about="collectors", found=said, do=do)
    try:
        yield from fleet_checks(Canonicaliser(database, mapping, settings.interval_s, names), schemas, now)
    except BrownoutError as error:
        yield Check(state=State.BAD, about="fleet", found=error.what, do=error.remedy)
    yield from _measurements(database, of_collectors(mapping, schemas), schemas, now)
    yield _causes(mapping, schemas, definitions.knowledge)


def _may_write(database: TelemetryDatabase) -> Check:
    """A comment is a valid write of no points: it asks for the permission and changes nothing."""
    try:
        database.write(["# brownout doctor\n"])
    except BrownoutError as error:
        do = f"{error.remedy} Or set write_back = false."
        return Check(state=State.BAD, about="write", found=error.what, do=do)
    return Check(state=State.GOOD, about="write", found="findings may be written back")


def _measurements(
    database: TelemetryDatabase, mapping: TelegrafMapping, schemas: Mapping[str, MeasurementSchema], now: np.datetime64
) -> Iterator[Check]:
    """One finding for each measurement."""
    for measurement, fields in _needed(mapping).items():
        sources = mapping.measurements.get(measurement, ())
        advice = _advice(mapping, measurement)
        schema = schemas.get(measurement)
        if schema is None:
            found = f"not there; {_without(sources)}"
            yield Check(state=State.WARNING, about=measurement, found=found, do=advice)
            continue
        present = tuple(name for name in fields if name in schema.fields)
        check = _freshness(database, measurement, present, now, _patience(sources))
        absent = [name for name in fields if name not in (*schema.fields, *schema.texts)]
        wanted = {name for source in sources for name in source.metrics} - {
            name for source in sources for name in source.makes(schemas)
        }
        if absent and (wanted or not sources):
            found = f"{check.found}; fields {absent} are not there{_why(measurement, absent)}"
            check = replace(check, state=max(check.state, State.WARNING, key=SEVERITY.index), found=found)
            check = replace(check, do=check.do or advice)
        texts = [name for name in fields if name in schema.texts]
        if texts:
            found = f"{check.found}; fields {texts} hold text in some shards; the text is left out, numbers are read"
            check = replace(check, state=State.BAD, found=found, do="Find who writes them as text; drop those.")
        yield check


def _causes(mapping: TelegrafMapping, schemas: Mapping[str, MeasurementSchema], knowledge: Knowledge) -> Check:
    number, blind = whole_cost(mapping, schemas, knowledge)
    if not blind:
        return Check(state=State.GOOD, about="causes", found=f"{number} can be named")
    return Check(
        state=State.WARNING if number else State.BAD,
        about="causes",
        found=f"{number} can be named, {len(blind)} cannot",
        do="Add the inputs of the table; `brownout doctor --telegraf-conf` prints their lines.",
        table=(("cause that cannot be named", "needs"), *missing_evidence(mapping, schemas, knowledge)),
    )


def _without(sources: Sequence[MeasurementSource]) -> str:
    metrics = [name for source in sources for name in source.metrics]
    if metrics:
        return f"without it: no {', '.join(metrics)}"
    return "without it: no configuration" if sources else "guests that are shut off cannot be told"


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
        found = f"newest sample is {_span(age)} old"
        return Check(
            state=State.WARNING, about=measurement, found=found, do="See that Telegraf runs: its log says why."
        )
    if -age > AHEAD:
        found = f"newest sample is {_span(-age)} in the future"
        do = "Correct the clock of the host that writes it (chronyc tracking)."
        return Check(state=State.WARNING, about=measurement, found=found, do=do)
    return Check(state=State.GOOD, about=measurement, found=f"newest sample is {_span(max(age, age * 0))} old")


def _needed(mapping: TelegrafMapping) -> dict[str, tuple[str, ...]]:
    """Fields by measurement, those that only serve other measurements last."""
    table: dict[str, list[str]] = {}
    for source in mapping.sources:
        table.setdefault(source.measurement, []).extend(source.needs)
    for source in mapping.sources:
        for measurement, name in source.foreign:
            table.setdefault(measurement, []).append(name)
    return {measurement: tuple(dict.fromkeys(names)) for measurement, names in table.items()}


def _advice(mapping: TelegrafMapping, measurement: str) -> str:
    own = mapping.measurements.get(measurement, ())
    inputs = {source.input for source in own} or {measurement.partition("_")[0]}
    return _first_advice(own) or _first_advice([s for s in mapping.sources if s.input in inputs])


def _first_advice(sources: Sequence[MeasurementSource]) -> str:
    return next((source.advice for source in sources if source.advice), "")


def _why(measurement: str, absent: Sequence[str]) -> str:
    """What an absent field usually means."""
    if measurement == "libvirt_balloon" and {"usable", "available"} & set(absent):
        return ": balloon statistics are not polled"
    if measurement == "diskio" and "io_await" in absent:
        return ": Telegraf is older than 1.33, or no request completed"
    if measurement == "nstat":
        return ": the kernel's TCP counters are under name=snmp"
    return ""


def _span(age: np.timedelta64) -> str:
    seconds = int(age / np.timedelta64(1, "s"))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
