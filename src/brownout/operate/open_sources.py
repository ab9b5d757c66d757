"""Where telemetry comes from, as the settings say."""

from datetime import UTC, datetime

import numpy as np

from brownout.adapters.influx.connect import connect
from brownout.domain.errors import SettingsError
from brownout.domain.panel import as_time
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.mapping import Names, TelegrafMapping
from brownout.ingest.raw import TelemetryDatabase
from brownout.numerics.slots import days
from brownout.operate.sources import DatabaseSource, DatasetSource, Source
from brownout.settings import InfluxSettings, Settings
from brownout.store.dataset import Dataset

__all__ = ["clock", "mapping_of", "open_source", "source_of"]


def clock() -> np.datetime64:
    """Now, UTC."""
    return as_time(datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00"))


def open_source(settings: Settings, now: np.datetime64) -> Source:
    """The data set or database of the settings; raises SettingsError where they name none or both."""
    if (settings.dataset is None) == (settings.influxdb is None):
        what = "Nothing says" if settings.dataset is None else "Both dataset and influxdb say"
        remedy = "Give --dataset DIR, or --config FILE with either dataset or [influxdb] in it."
        raise SettingsError(f"{what} where the telemetry is.", remedy=remedy)
    if settings.influxdb is None:
        return DatasetSource(Dataset.open(settings.dataset))  # type: ignore[arg-type]
    return source_of(settings.influxdb, connect(settings.influxdb), now)


def source_of(settings: InfluxSettings, database: TelemetryDatabase, now: np.datetime64) -> DatabaseSource:
    """A database as a source."""
    mapping, names = mapping_of(settings)
    return DatabaseSource(
        Canonicaliser(database, mapping, settings.interval_s, names),
        since=now - days(settings.history_days),
        now=now,
        lookback=days(settings.lookback_minutes / 1440),
    )


def mapping_of(settings: InfluxSettings) -> tuple[TelegrafMapping, Names]:
    """The mapping with what the site says over it."""
    names = Names(ids=settings.ids, aliases=settings.aliases, hosts=settings.hosts)
    return TelegrafMapping.load(settings.mapping, names=names), names
