"""What was measured of an entity, as a pandas frame."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from brownout.domain.errors import DataError
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.store.shards import plan_shards, read_shard

__all__ = ["measured_frame", "utc"]


def measured_frame(
    store: SampleStore,
    entity: str,
    *,
    metrics: Collection[str] | None = None,
    start: pd.Timestamp | str | None = None,
    end: pd.Timestamp | str | None = None,
) -> pd.DataFrame:
    """One column a metric, one row a slot; NaN = not measured.

    Raises DataError where nothing was measured of the entity then, or not one of the metrics.
    """
    panel = _panel(store, entity, start, end)
    times = pd.DatetimeIndex(panel.times, tz="UTC", name="time")
    frame = pd.DataFrame(panel.values[0], index=times, columns=panel.metric_names)
    unknown = sorted(set(metrics or ()) - set(frame.columns))
    if unknown:
        msg = f"{entity} has no values of {unknown} there."
        raise DataError(msg, remedy=f"Name some of {sorted(frame.columns)}.")
    return frame if metrics is None else frame[list(metrics)]


def utc(time: pd.Timestamp | str) -> np.datetime64:
    """A time of pandas or a text as numpy has it; one without a zone is UTC."""
    stamp = pd.Timestamp(time)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return np.datetime64(stamp.tz_localize(None), "ms")


def _panel(store: SampleStore, entity: str, start: pd.Timestamp | str | None, end: pd.Timestamp | str | None) -> Panel:
    spans = store.spans()
    if entity not in spans:
        near = [name for name in spans if entity.lower() in name.lower()][:5]
        hint = f"Did you mean one of {near}?" if near else "See the index of `entities`."
        raise DataError(f"Nothing was measured of {entity!r}.", remedy=hint)
    since, until = (None if time is None else utc(time) for time in (start, end))
    plans = plan_shards(store, start=since, end=until, entities=[entity])
    if not plans:
        span = f" from {since} to {until}" if since is not None or until is not None else ""
        raise DataError(f"Nothing was measured of {entity!r}{span}.", remedy="Ask for another time.")
    return read_shard(store, plans[0]).panel
