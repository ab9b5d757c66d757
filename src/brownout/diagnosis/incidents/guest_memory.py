"""Memory of guests at their host: as the memory of a guest grows its host has less, which is no second fault."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brownout.diagnosis.evidence.symptoms import RAMP_CORRELATION
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.numerics.slots import HOUR_S, whole_slots

__all__ = ["taken_by"]

BEFORE = np.timedelta64(6 * 3_600_000, "ms")
"""Guest and host are compared from so long before the growth was noticed."""
LEAST_HOURS = 6
MORE = 2.0
"""With a guest's growth no more than so many times as much of its host's memory is gone."""
GIB = {"MiB": 1 / 1024, "GiB": 1.0}


def taken_by(
    guest: Series, host: Sequence[Series], span: tuple[np.datetime64, np.datetime64], panels: Sequence[Panel]
) -> bool:
    """Whether memory of a host went as that of a guest grew, hour by hour, and none of it is beyond its limit.

    Where both are measured in bytes, the host has lost no more than twice what the guest grew by.
    """
    start, end = span[0] - BEFORE, span[1]
    grown = _hours(guest, start, end, panels)
    gone = [hours for series in host if (hours := _hours(series, start, end, panels)) is not None]
    return grown is not None and bool(gone) and all(_goes_along(grown, one) for one in gone)


def _goes_along(grown: tuple[Metric, npt.NDArray[np.float64]], gone: tuple[Metric, npt.NDArray[np.float64]]) -> bool:
    (guest, rise), (host, fall) = grown, gone
    if len(rise) != len(fall):
        return False
    both = np.isfinite(rise) & np.isfinite(fall)
    if both.sum() < LEAST_HOURS or bool(host.exceeds(fall[both][-1])):
        return False
    rise, fall = _sign(guest) * rise[both], _sign(host) * fall[both]
    if np.ptp(rise) == 0 or np.ptp(fall) == 0 or np.corrcoef(rise, fall)[0, 1] < RAMP_CORRELATION:
        return False
    sized = guest.unit in GIB and host.unit in GIB
    return not sized or bool(np.ptp(fall) * GIB[host.unit] <= MORE * np.ptp(rise) * GIB[guest.unit])


def _hours(
    series: Series, start: np.datetime64, end: np.datetime64, panels: Sequence[Panel]
) -> tuple[Metric, npt.NDArray[np.float64]] | None:
    """Hourly means of a series; None where no panel has it."""
    for panel in panels:
        if series.entity in panel.entity_ids and series.metric in panel.metric_names:
            row, column = panel.entity_ids.index(series.entity), panel.metric_names.index(series.metric)
            part = panel.between(start, end).select(entities=[row])
            hours = part.coarsen(whole_slots(HOUR_S, panel.interval_s))
            return panel.metrics[column], hours.values[0, :, column].astype(np.float64)
    return None


def _sign(metric: Metric) -> int:
    return 1 if metric.worse is Worse.UP else -1
