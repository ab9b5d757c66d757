"""What guests want over the day and the week: shared seasons of roles, own habits, autocorrelated and bursty."""

from dataclasses import dataclass

import numpy as np

from fleets.site.clock import Axis
from fleets.site.layout import Layout
from fleets.site.streams import Floats, Streams, bursts, smooth

__all__ = ["Demand", "demand_of", "season"]


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Wants of all guests ``[guest, slot]``: activity (0 to about 1), cores, requests, traffic, viewers, screen."""

    activity: Floats
    cores: Floats
    iops: Floats
    read_kbs: Floats
    write_kbs: Floats
    rx_kbs: Floats
    tx_kbs: Floats
    viewers: Floats
    screen: Floats


IDLE = {"desk": 0.03, "web": 0.05, "db": 0.06, "ci": 0.03, "batch": 0.02, "idle": 0.01}
PEAK = {"desk": 0.34, "web": 0.45, "db": 0.42, "ci": 0.4, "batch": 0.15, "idle": 0.04}
"""CPU use at rest and at full activity, share of the vCPUs."""
IOPS = {"desk": 22, "web": 18, "db": 90, "ci": 45, "batch": 30, "idle": 3}
KBS = {"desk": 80, "web": 900, "db": 500, "ci": 700, "batch": 300, "idle": 6}
VIEWERS = {"desk": 1.5, "web": 0.08, "db": 0.05, "ci": 0.12, "batch": 0.03, "idle": 0.03}


def season(role: str, axis: Axis, *, weekly: float = 1.0) -> Floats:
    """Activity of a role by local time ``[slot]``; ``weekly`` stretches how unlike the days of a week are."""
    hour, free = axis.hour, axis.free
    office = _bump(hour, 8.6, 12.2, 0.5) + 0.55 * _bump(hour, 12.2, 13.4, 0.3) + _bump(hour, 13.4, 17.8, 0.6)
    office = np.clip(office, 0, 1)
    evening = 0.25 + 0.75 * np.exp(-(((hour - 20 + 12) % 24 - 12) ** 2) / 18) + 0.2 * _bump(hour, 9, 17, 1)
    tilt = 1 + 0.06 * weekly * np.array([1.5, 0.6, 0, -0.3, -1.3, 0, 0])[axis.weekday]
    shapes = {
        "desk": office * tilt * np.where(free, 0.12 / weekly, 1),
        "ci": (0.1 + 0.9 * _bump(hour, 9, 19, 1.2)) * tilt * np.where(free, 0.15 / weekly, 1),
        "web": evening * np.where(free, 1 - 0.25 * weekly, 1),
        "db": (0.5 * evening + 0.5 * office) * np.where(free, 1 - 0.35 * weekly, 1),
        "batch": 0.15 + 0.1 * office,
        "idle": np.full(axis.slots, 0.3),
    }
    return np.asarray(np.clip(shapes[role], 0.01, None), np.float32)


def _bump(hour: np.ndarray, start: float, end: float, edge: float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-(hour - start) * 4 / edge)) - 1 / (1 + np.exp(-(hour - end) * 4 / edge)))


def demand_of(layout: Layout, axis: Axis, streams: Streams, *, weekly: float = 1.0) -> Demand:
    """The wants of all guests before jobs, operations and faults."""
    shape = (len(layout.guests), axis.slots)
    rng = streams.of("demand")
    seasons = {role: season(role, axis, weekly=weekly) for role in IDLE}
    shared = {role: smooth(rng, (1, axis.slots), tau_s=10_800, interval_s=axis.interval_s)[0] for role in IDLE}
    activity = np.stack([seasons[g.role] * np.exp(0.13 * shared[g.role]) for g in layout.guests])
    own = rng.lognormal(0, 0.25, (shape[0], 1)).astype(np.float32)
    slow = smooth(streams.of("demand.slow"), shape, tau_s=5400, interval_s=axis.interval_s)
    activity = (np.clip(activity * own, 0, 1.15) * np.exp(0.16 * slow)).astype(np.float32)
    busy = bursts(streams.of("demand.bursts"), shape, per_day=14, mean_s=240, interval_s=axis.interval_s)
    return _wants(layout, axis, streams, activity, busy)


def _wants(layout: Layout, axis: Axis, streams: Streams, activity: Floats, busy: Floats) -> Demand:
    shape = activity.shape
    rng = streams.of("demand.figures")

    def column(table: dict[str, float], spread: float) -> Floats:
        figures = np.array([[table[g.role]] for g in layout.guests], np.float32)
        return (figures * rng.lognormal(0, spread, (shape[0], 1))).astype(np.float32)

    def noisy(name: str, spread: float, tau_s: float = 300) -> Floats:
        return np.exp(spread * smooth(streams.of(name), shape, tau_s=tau_s, interval_s=axis.interval_s))

    share = column(IDLE, 0.2) + column(PEAK, 0.15) * activity * noisy("demand.cpu", 0.2)
    share = share + busy * (0.03 + 0.1 * np.minimum(activity, 1))
    iops = (1 + column(IOPS, 0.3) * (activity + 0.6 * busy)) * noisy("demand.iops", 0.45)
    kbs = (0.5 + column(KBS, 0.4) * (activity + 0.3 * busy)) * noisy("demand.net", 0.5)
    reads = rng.uniform(0.25, 0.5, (shape[0], 1)).astype(np.float32)
    size = rng.uniform(12, 30, (shape[0], 1)).astype(np.float32)
    out = rng.uniform(0.3, 2.2, (shape[0], 1)).astype(np.float32)
    crowd = column(VIEWERS, 0.1) * activity
    viewers = np.floor(crowd + streams.of("demand.viewers").random((shape[0], 1), dtype=np.float32) * 0.9 + 0.15)
    screen = np.clip(0.5 * np.minimum(activity, 1) * noisy("demand.screen", 0.5, 900), 0.004, 0.95)
    return Demand(
        activity=activity,
        cores=np.minimum(share, 0.84) * layout.vcpus[:, None],
        iops=iops,
        read_kbs=iops * size * reads,
        write_kbs=iops * size * (1 - reads),
        rx_kbs=kbs,
        tx_kbs=kbs * out,
        viewers=viewers.astype(np.float32),
        screen=screen.astype(np.float32),
    )
