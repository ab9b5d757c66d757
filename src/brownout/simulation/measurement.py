"""What collectors and the probe would have written: metrics with sampling noise, quantisation and gaps."""

import numpy as np
import numpy.typing as npt

from brownout.domain.panel import Panel, Times
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.fleet_layout import Layout
from brownout.simulation.measured_state import MeasuredState
from brownout.simulation.measurement_formulas import evaluate
from brownout.simulation.physics.consoles import Consoles
from brownout.simulation.physics.demand import Demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.host_clocks import RATES, stamped
from brownout.simulation.physics.hosts import Hosts
from brownout.simulation.physics.load import Array, ar1
from brownout.simulation.simulation_definitions import SimulationDefinitions

__all__ = ["kinds_measured", "measure"]

GAP_SHARE = 0.002
"""Share of rows that a collector loses for no reason that matters."""
OF_HOSTS = ("host", "disk", "path", "interface", "vm")
"""Kinds that the collectors of hosts stamp; consoles and paths are stamped by the machine that probes."""
PINGS_A_MINUTE = 30
UPDATES_A_MINUTE = 2
TIMEOUT_MS = 5000.0
UNREACHABLE = "unreachable"
PROBED = ("console_connect_ms", "console_mainloop_ms", "console_update_ms", "console_echo_ms", "console_fps",
          "console_fps_stddev")  # fmt: skip
"""What is measured of a console from where it is opened, through the path to its host."""


def measure(state: MeasuredState, times: Times, definitions: SimulationDefinitions) -> dict[str, Panel]:
    """Panels of the times by kind of entity, with the metrics of the catalogue."""
    settings, layout, drivers, rng = state.settings, state.layout, state.drivers, state.rng
    kinds = _columns(state, times, definitions)
    rates = RATES | {formula.metric for formula in definitions.formulas if formula.rate}
    entities = layout.entities()
    panels = {}
    for kind, columns in kinds.items():
        metrics = definitions.catalogue.select(columns)
        values = np.empty((*next(iter(columns.values())).shape, len(metrics)), np.float32)
        for column, metric in enumerate(metrics):
            upper = min(metric.upper, 100) if metric.unit == "%" else metric.upper
            values[..., column] = np.clip(columns.pop(metric.name), metric.lower, upper)
        if "host_clock_ahead_s" in drivers.extra and kind in OF_HOSTS:
            grows = np.isin([metric.name for metric in metrics], list(rates))
            values = stamped(values, _ahead(kind, settings, layout, drivers), grows)
            # A growth of many intervals in one can be more than there is of something: no reader believes it.
            values[values > np.array([metric.upper for metric in metrics], np.float32)] = np.nan
        values[rng.random(values.shape[:2]) < GAP_SHARE] = np.nan
        values[np.broadcast_to(_silent(kind, drivers, layout, rng), values.shape[:2])] = np.nan
        panels[kind] = Panel(values, times[0], settings.interval_s, entities[kind], metrics)
    return panels


def _columns(state: MeasuredState, times: Times, definitions: SimulationDefinitions) -> dict[str, dict[str, Array]]:
    """Columns by kind and metric: those of the physics, then those that formulas say."""
    settings, layout, drivers, hosts = state.settings, state.layout, state.drivers, state.hosts
    noise = _Noise(state.rng, settings.interval_s)
    kinds: dict[str, dict[str, Array]] = {
        "host": _host(layout, state.demand, drivers, hosts, noise),
        "disk": _disk(hosts, noise),
        "path": _path(layout, drivers, _elapsed_share(settings, times), noise),
        "interface": _interface(layout, drivers, hosts, noise),
    }
    if "vm" in kinds_measured(settings):
        kinds["vm"] = _vm(state, noise)
    if "console" in kinds_measured(settings):
        kinds["link"] = _link(layout, drivers, hosts, noise)
        kinds["console"] = _console(state.demand, drivers, state.consoles, noise)
        if UNREACHABLE in drivers.extra:
            _without_a_path(kinds["link"], kinds["console"], drivers, layout)
    measured = [formula for formula in definitions.formulas if formula.always or settings.signatures]
    for kind, columns in evaluate(measured, state).items():
        if kind in kinds:
            kinds[kind] |= columns
    return kinds


def kinds_measured(settings: FleetSettings) -> tuple[str, ...]:
    """Kinds of entities that the telemetry covers."""
    less = ("host", "disk", "path", "interface")
    return less + {"host-only": (), "no-probe": ("vm",), "full": ("vm", "link", "console")}[settings.telemetry]


def _ahead(kind: str, settings: FleetSettings, layout: Layout, drivers: Drivers) -> npt.NDArray[np.int64]:
    """How many slots the clock that stamps an entity is ahead, ``[entity, time]``."""
    name = "host_clock_ahead_s"
    seconds = drivers.on_guests(name, layout) if kind == "vm" else drivers.extra[name]
    return np.round(seconds / settings.interval_s).astype(np.int64)


def _silent(kind: str, drivers: Drivers, layout: Layout, rng: Draws) -> npt.NDArray[np.bool_]:
    """Rows ``[entity, time]`` that nobody wrote: a stuck libvirt collector loses its guests, a restart two slots."""
    if kind != "vm":
        return np.zeros((1, 1), bool)
    started = np.broadcast_to(drivers.more("guest_restart") > 0, drivers.cpu.shape)
    before = rng.carried(np.zeros((len(started), 1), bool))
    starting = started | np.concatenate([before[0], started[:, :-1]], axis=1)
    before[0] = started[:, -1:]
    return np.asarray(starting | (drivers.on_guests("host_silence", layout) > 0))


class _Noise:
    """Noise of means over an interval."""

    def __init__(self, rng: Draws, interval_s: int) -> None:
        self.rng = rng
        self.minutes = interval_s / 60

    def relative(self, values: Array, share: float) -> Array:
        noisy: Array = values * self.rng.lognormal(0, share, values.shape)
        return noisy

    def lost(self, loss: Array) -> Array:
        """Percent of pings lost among those of an interval."""
        pings = max(round(PINGS_A_MINUTE * self.minutes), 1)
        lost: Array = 100 * self.rng.binomial(pings, loss) / pings
        return lost

    def sampled(self, mean: Array, refresh_ms: float) -> Array:
        """Mean of the few probes of an interval, each with its own place in the refresh cycle."""
        probes = max(UPDATES_A_MINUTE * self.minutes, 1)
        wait = self.rng.normal(0, refresh_ms / np.sqrt(12 * probes), mean.shape)
        noisy: Array = np.maximum(mean * self.rng.lognormal(0, 0.10 / np.sqrt(probes), mean.shape) + wait, 0.1)
        return noisy


def _host(layout: Layout, demand: Demand, drivers: Drivers, hosts: Hosts, noise: _Noise) -> dict[str, Array]:
    sessions = layout.per_host(demand.clients)
    busy = np.minimum(hosts.busy, 100)
    return {
        "host_cpu_busy_pct": busy,
        # Waiting for I/O is idle time: a busy host has none.
        "host_cpu_iowait_pct": np.minimum(noise.relative(hosts.iowait, 0.25), 100 - busy),
        "host_load_per_cpu": noise.relative(0.04 + hosts.use + 0.04 * hosts.iowait, 0.08),
        "host_psi_cpu_pct": noise.relative(0.4 + 0.9 * hosts.ready + 0.05 * hosts.busy, 0.25),
        "host_psi_memory_pct": noise.relative(0.02 + 45 * hosts.pressure, 0.3),
        "host_psi_io_pct": noise.relative(0.3 + 2.2 * hosts.iowait, 0.25),
        "host_memory_available_pct": hosts.available,
        "host_swap_kbs": np.where(hosts.pressure > 0.01, noise.relative(9000 * hosts.pressure, 0.5), 0),
        "host_majfault_per_s": noise.relative(6 + 2600 * hosts.pressure, 0.4),
        "host_retrans_pct": noise.relative(
            0.03 + 100 * drivers.loss + 1.2 * _full(hosts) + drivers.more("host_retrans"), 0.3
        ),
        "host_blocked_tasks": np.floor(noise.relative(0.3 * hosts.iowait, 0.3)),
        "host_tcp_established": np.floor(noise.relative(40 + 4 * sessions, 0.05)),
        "host_conntrack_pct": noise.relative(0.2 + 0.03 * sessions + drivers.more("host_conntrack"), 0.05),
        "host_freq_ratio": noise.relative(0.97 * drivers.clock, 0.012),
        "host_sessions": sessions,
    }


def _disk(hosts: Hosts, noise: _Noise) -> dict[str, Array]:
    await_ms = noise.relative(hosts.await_ms, 0.12)
    iops = noise.relative(hosts.iops, 0.05)
    return {
        # io_await is absent when nothing completed in the interval.
        "disk_await_ms": np.where(iops < 2, np.nan, await_ms),
        "disk_util_pct": 100 * np.clip(noise.relative(hosts.disk_use, 0.08), 0, 1),
        "disk_queue": iops * await_ms / 1000,
        "disk_read_kbs": noise.relative(hosts.read_kbs, 0.08),
        "disk_write_kbs": noise.relative(hosts.write_kbs, 0.08),
    }


def _elapsed_share(settings: FleetSettings, times: Times) -> Array:
    """Share of the fleet's time that is over, 0 at its first slot and 1 at its last."""
    first = int((times[0] - settings.start) / np.timedelta64(settings.interval_s * 1000, "ms"))
    return np.linspace(0, 1, settings.slots)[first : first + len(times)]


def _path(layout: Layout, drivers: Drivers, elapsed: Array, noise: _Noise) -> dict[str, Array]:
    growth = 1.5 * elapsed * layout.pace[:, None]
    churn = 0.3 * ar1(noise.rng, drivers.disk_fill.shape, steps=240 / noise.minutes)
    return {"disk_used_pct": np.minimum(layout.disk_used[:, None] + growth + drivers.disk_fill + churn, 100)}


def _interface(layout: Layout, drivers: Drivers, hosts: Hosts, noise: _Noise) -> dict[str, Array]:
    speed = layout.speed[:, None] * drivers.more("net_speed")
    rx, tx = (np.minimum(noise.relative(kbs, 0.05), speed) for kbs in (hosts.rx_kbs, hosts.tx_kbs))
    return {
        "net_rx_kbs": rx,
        "net_tx_kbs": tx,
        "net_util_pct": 100 * np.maximum(rx, tx) / speed,
        "net_drop_per_s": np.floor(noise.relative(40 * _full(hosts) + drivers.more("net_drops"), 0.5)),
    }


def _full(hosts: Hosts) -> Array:
    """How far the uplink is past the point where its queue drops, 0 … 1."""
    full: Array = np.clip((hosts.link_use - 0.93) / 0.07, 0, 1)
    return full


def _link(layout: Layout, drivers: Drivers, hosts: Hosts, noise: _Noise) -> dict[str, Array]:
    """The path from the vantage to each host, as ping sees it."""
    rtt = layout.rtt[:, None] * noise.rng.lognormal(0, 0.05, drivers.rtt.shape)
    jitter = 0.06 * layout.rtt[:, None] * noise.rng.lognormal(0, 0.4, rtt.shape)
    return {
        "link_rtt_ms": rtt + drivers.rtt + hosts.wait_ms,
        "link_jitter_ms": noise.relative(jitter + drivers.jitter + 0.25 * hosts.wait_ms, 0.3),
        "link_loss_pct": noise.lost(np.clip(drivers.loss + 2e-5, 0, 0.5)),
    }


def _without_a_path(link: dict[str, Array], console: dict[str, Array], drivers: Drivers, layout: Layout) -> None:
    """Nothing is measured through a path that is gone; every packet on it is lost."""
    gone = drivers.more(UNREACHABLE) > 0
    link |= {name: np.where(gone, np.nan, link[name]) for name in ("link_rtt_ms", "link_jitter_ms")}
    link["link_loss_pct"] = np.where(gone, 100, link["link_loss_pct"])
    behind = drivers.on_guests(UNREACHABLE, layout) > 0
    console |= {name: np.where(behind, np.nan, console[name]) for name in PROBED}


def _vm(state: MeasuredState, noise: _Noise) -> dict[str, Array]:
    layout, demand, drivers = state.layout, state.demand, state.drivers
    hosts, guests = state.hosts, state.guests
    kbs = guests.iops * 18
    vcpus = layout.vcpus[:, None] * drivers.more("guest_vcpus")
    return {
        "vm_cpu_pct": noise.relative(guests.cpu, 0.04),
        "vm_ready_pct": noise.relative(guests.ready, 0.15),
        "vm_memory_usable_pct": guests.usable,
        "vm_swap_kbs": np.where(guests.shortage > 0.02, noise.relative(3500 * guests.shortage, 0.5), 0),
        "vm_majfault_per_s": noise.relative(1.5 + 900 * guests.shortage, 0.4),
        "vm_balloon_ratio": 1 - drivers.balloon,
        "vm_disk_await_ms": noise.relative(guests.await_ms, 0.1),
        "vm_disk_iops": noise.relative(guests.iops, 0.1),
        "vm_disk_kbs": noise.relative(kbs, 0.1),
        "vm_net_rx_kbs": noise.relative(demand.net_rx, 0.1),
        "vm_net_tx_kbs": noise.relative(demand.net_tx, 0.1),
        "vm_qemu_cpu_pct": noise.relative(
            guests.cpu * vcpus + 1.5 + drivers.more("guest_qemu_cpu"),
            0.04,
        ),
        "vm_qemu_swap_mib": 60 * layout.felt(hosts.pressure) * layout.guest_memory_gib[:, None],
    }


def _console(demand: Demand, drivers: Drivers, consoles: Consoles, noise: _Noise) -> dict[str, Array]:
    update = noise.sampled(consoles.update, 30)
    echo = np.maximum(noise.sampled(consoles.echo, 16), update)
    # A probe that times out says that it was slow, not how slow: its row has no latency.
    timeout = echo > TIMEOUT_MS
    watched = demand.clients > 0
    drift = np.exp(0.02 * ar1(noise.rng, update.shape, steps=60 / noise.minutes))
    return {
        "console_connect_ms": noise.relative(consoles.connect, 0.03),
        "console_mainloop_ms": noise.relative(consoles.mainloop, 0.3),
        "console_update_ms": update * drift,
        "console_echo_ms": np.where(timeout | (drivers.more("guest_echo_lost") > 0), np.nan, echo * drift),
        # The frame rate means something only while the screen changes and somebody looks.
        "console_fps": np.where(watched, np.minimum(noise.relative(consoles.fps, 0.03), 33.3), np.nan),
        "console_fps_stddev": np.where(watched, noise.relative(consoles.fps_stddev, 0.25), np.nan),
        "console_update_kib": noise.relative(consoles.update_kib, 0.05),
        "console_sent_kbs": noise.relative(consoles.sent_kbs, 0.1),
        "console_worker_pct": np.clip(noise.relative(consoles.worker, 0.06), 0, 100),
        "console_clients": demand.clients.astype(float),
    }
