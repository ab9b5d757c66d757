"""What guests want, before anything is scarce."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.load import Array, ar1, bursts, working_day

__all__ = ["Demand", "draw_demand"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """What each guest wants, arrays ``[vm, time]``.

    ``activity`` of its user 0 … about 1.5, ``cpu`` share of its vCPUs, ``iops`` and network KiB/s offered, ``clients``
    console viewers, ``change`` of its screen 0 … about 2.
    """

    activity: Array
    cpu: Array
    iops: Array
    net_rx: Array
    net_tx: Array
    clients: Array
    change: Array


def draw_demand(
    layout: Layout,
    drivers: Drivers,
    times: npt.NDArray[np.datetime64],
    rng: Draws,
) -> Demand:
    """Draw the load of all guests: common working days, own appetite, hour and noise, and their faults on top."""
    shape = drivers.cpu.shape
    interval = float((times[1] - times[0]) / np.timedelta64(1, "s"))
    shift = rng.once(lambda: rng.normal(0, 30, (shape[0],)))
    days = np.stack([working_day(times + np.timedelta64(int(s * 60_000), "ms")) for s in shift])
    slow = np.exp(0.22 * ar1(rng, shape, steps=1500 / interval) - 0.025)
    activity = layout.appetite[:, None] * days * slow
    jobs = _nightly_jobs(times, rng, shape[0])
    peaks = 0.05 * np.minimum(bursts(rng, shape, rate=interval / 1800, steps=90 / interval), 6)
    cpu = np.clip(0.04 + 0.42 * activity + peaks + 0.12 * jobs, 0.01, 0.93)
    cpu = np.minimum(np.clip((cpu + drivers.cpu) / drivers.more("guest_vcpus"), 0, 1), drivers.quota)
    disk_bursts = bursts(rng, shape, rate=interval / 900, steps=60 / interval)
    iops = (6 + 25 * activity + 8 * disk_bursts + 60 * jobs) * drivers.io + drivers.more("guest_iops")
    net = 30 + 260 * activity + 120 * bursts(rng, shape, rate=interval / 1200, steps=60 / interval)
    viewers = rng.binomial(2, np.clip(0.45 * np.minimum(activity, 1.2), 0, 0.9)) + drivers.viewers
    change = (0.15 + 0.55 * activity * np.exp(0.4 * ar1(rng, shape, steps=300 / interval))) * drivers.change
    change = change + drivers.more("guest_change")
    return Demand(
        activity=activity,
        cpu=cpu,
        iops=iops,
        net_rx=net * rng.once(lambda: rng.uniform(0.5, 1.5, (shape[0], 1))),
        net_tx=net * rng.once(lambda: rng.uniform(0.3, 1.0, (shape[0], 1)))
        + 90 * viewers * change
        + drivers.more("guest_net_kbs"),
        clients=viewers,
        change=change,
    )


def _nightly_jobs(times: npt.NDArray[np.datetime64], rng: Draws, vms: int) -> Array:
    """Backup or scan of each guest: 0 … 1 for half an hour between 00:30 and 04:00; within budget, no fault."""
    minute = times.astype("datetime64[m]").astype(np.int64) % 1440
    start = rng.once(lambda: rng.integers(30, 210, vms)[:, None].astype(np.float64))
    running = (minute >= start) & (minute < start + 30)
    jobs: Array = running * rng.once(lambda: rng.uniform(0.3, 1.0, (vms, 1)))
    return jobs
