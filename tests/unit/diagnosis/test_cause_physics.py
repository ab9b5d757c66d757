"""Causes against their physics: faults in the ways in which they really show, written down by hand.

Each case says what moves, on one host with four guests that otherwise only have noise; what is right follows from how
schedulers, networks and hypervisors work, not from a simulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser, Weights
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN
from brownout.domain.panel import Panel
from brownout.nightly.context import DOUBT
from brownout.site_knowledge import load_definitions

DEFINITIONS = load_definitions()
DIAGNOSER = Diagnoser(DEFINITIONS.knowledge, Weights(unknown=Weights.unknown + DOUBT))
SLOTS, FIRST, LAST = 1440, 1320, 1380
START = np.datetime64("2026-03-02T00:00", "ms")
GUESTS = ("v0", "v1", "v2", "v3")
USUAL: Mapping[str, Mapping[str, float]] = {
    "host": {
        "host_cpu_busy_pct": 35, "host_psi_cpu_pct": 1, "host_freq_ratio": 0.97, "host_throttle_per_min": 0,
        "host_memory_available_pct": 40, "host_swap_kbs": 0, "host_retrans_pct": 0.03, "host_uptime_h": 900,
        "host_cpu_peak_pct": 60, "host_vm_starts_per_min": 0, "host_maintenance": 0,
    },
    "disk": {"disk_await_ms": 0.6, "disk_util_pct": 12},
    "interface": {"net_util_pct": 8, "net_err_per_s": 0, "net_drop_per_s": 0, "net_speed_mbits": 1000},
    "link": {"link_rtt_ms": 5, "link_jitter_ms": 0.5, "link_loss_pct": 0},
    "vm": {
        "vm_cpu_pct": 20, "vm_ready_pct": 0.4, "vm_memory_usable_pct": 60, "vm_swap_kbs": 0, "vm_disk_iops": 30,
        "vm_disk_await_ms": 0.7, "vm_throttled_pct": 0, "vm_system_share_pct": 5.5, "vm_paused": 0, "vm_uptime_h": 700,
        "vm_migrating": 0, "vm_net_rx_kbs": 40,
    },
    "console": {
        "console_connect_ms": 5, "console_mainloop_ms": 0.4, "console_update_ms": 30, "console_echo_ms": 60,
        "console_failed_pct": 0, "console_stalled_pct": 0, "console_echo_lost_pct": 0, "console_proxied_ms": 18,
        "console_worker_pct": 8, "console_clients": 1, "console_fps": 30, "console_update_kib": 60,
        "console_probe_lag_ms": 0.3,
    },
}  # fmt: skip
NAMES = {
    "host": ("h",), "disk": ("h/sda",), "interface": ("h/eth0",), "link": ("h/link",), "vm": GUESTS,
    "console": tuple(f"{guest}/console" for guest in GUESTS),
}  # fmt: skip
GONE = float("nan")


@dataclass(frozen=True)
class Case:
    """``moves`` gives (entity or kind, metric) its value in the incident; nobody collects what is ``unmeasured``."""

    moves: Mapping[tuple[str, str], float]
    right: tuple[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    unmeasured: tuple[str, ...] = ()


CASES = {
    "an emulator's quota holds the main loop back, and no vCPU waits": Case(
        {("v1", "vm_throttled_pct"): 70, ("v1/console", "console_mainloop_ms"): 27,
         ("v1/console", "console_update_ms"): 70}, ("VIRT-04", "v1"),
    ),
    "a quota on vCPUs, without cgroup figures": Case(
        {("v1", "vm_ready_pct"): 30, ("v1/console", "console_mainloop_ms"): 20}, ("VIRT-04", "v1"),
        unmeasured=("vm_throttled_pct",),
    ),
    "a guest hangs at full speed": Case(
        {("v2", "vm_cpu_pct"): 99, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "a guest hangs and does nothing": Case(
        {("v2", "vm_cpu_pct"): 0.1, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "one CPU of a guest hangs": Case(
        {("v2", "vm_cpu_pct"): 40, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "jitter only ever delays, so the mean rises too": Case(
        {("link", "link_jitter_ms"): 22, ("link", "link_rtt_ms"): 27, ("console", "console_update_ms"): 60,
         ("console", "console_connect_ms"): 27}, ("NET-04", "h/link"),
    ),
    "a longer path, with its own small jitter": Case(
        {("link", "link_jitter_ms"): 1.2, ("link", "link_rtt_ms"): 85, ("console", "console_update_ms"): 120,
         ("console", "console_connect_ms"): 85}, ("NET-01", "h/link"),
    ),
    "a dead path": Case(
        {("link", "link_loss_pct"): 100, ("link", "link_rtt_ms"): GONE, ("link", "link_jitter_ms"): GONE,
         ("console", "console_connect_ms"): GONE, ("console", "console_update_ms"): GONE,
         ("console", "console_echo_ms"): GONE, ("console", "console_mainloop_ms"): GONE,
         ("console", "console_failed_pct"): 100}, ("NET-03", "h/link"),
    ),
    "late behind the proxy only": Case({("console", "console_proxied_ms"): 900}, ("NET-09", "h/link")),
    "a link at a tenth of its speed, without an error": Case(
        {("interface", "net_speed_mbits"): 100, ("interface", "net_util_pct"): 80}, ("NET-06", "h/eth0"),
    ),
    "thermal throttling under load": Case(
        {("host", "host_freq_ratio"): 0.55, ("host", "host_throttle_per_min"): 30, ("host", "host_cpu_busy_pct"): 62,
         ("vm", "vm_ready_pct"): 4}, ("PWR-01", "h"),
    ),
    "throttle events where nobody collects the clock": Case(
        {("host", "host_throttle_per_min"): 30, ("host", "host_cpu_busy_pct"): 62,
         ("console", "console_mainloop_ms"): 4},
        ("PWR-01", "h"), unmeasured=("host_freq_ratio",),
    ),
    "packets that nobody else counts outrun the host": Case(
        {("interface", "net_drop_per_s"): 300, ("host", "host_retrans_pct"): 2}, ("NET-07", "h/eth0"),
        unmeasured=("host_softirq_pct",),
    ),
    "a disk with its sectors failing and its latency not yet": Case(
        {("disk", "disk_bad_sectors"): 80}, ("MAINT-02", "h/sda"),
    ),
    "a host that was restarted, and all is well": Case(
        {("host", "host_uptime_h"): 1, ("vm", "vm_uptime_h"): 0.9}, ("ART-09", "h"),
    ),
    "a guest asks for more and gets it": Case({("v3", "vm_cpu_pct"): 45, ("v3", "vm_net_rx_kbs"): 110}, (UNKNOWN, "")),
    "a screen that moves more than usual, as quick as ever": Case(
        {("v1/console", "console_worker_pct"): 68, ("v1/console", "console_update_kib"): 200,
         ("v1/console", "console_clients"): 1}, (UNKNOWN, ""),
    ),
    "a slow screen whose encode worker has room": Case(
        {("v3/console", "console_worker_pct"): 45, ("v3/console", "console_fps"): 12,
         ("v3/console", "console_update_ms"): 60}, (UNKNOWN, ""), labels={"video_model": "virtio"},
    ),
    "a class watches one screen that moves": Case(
        {("v1/console", "console_worker_pct"): 99, ("v1/console", "console_clients"): 12,
         ("v1/console", "console_fps"): 9, ("v1/console", "console_update_ms"): 140}, ("HW-06", "v1"),
    ),
    "viewers on a worker that keeps up": Case(
        {("v1/console", "console_worker_pct"): 62, ("v1/console", "console_clients"): 6}, ("HW-06", "v1"),
    ),
    "one viewer's video fills the worker, and nobody counts viewers": Case(
        {("v1/console", "console_worker_pct"): 99, ("v1/console", "console_update_kib"): 300,
         ("v1/console", "console_fps"): 12, ("v1/console", "console_update_ms"): 110}, ("HW-06", "v1"),
        unmeasured=("console_clients",),
    ),
    "a host is busy, and nobody waits": Case({("host", "host_cpu_busy_pct"): 91}, (UNKNOWN, "")),
    "a host is full, and its tasks wait": Case(
        {("host", "host_cpu_busy_pct"): 99, ("host", "host_load_per_cpu"): 2.4}, ("HW-01", "h"),
        unmeasured=("host_psi_cpu_pct", "vm_ready_pct"),
    ),
    "a host is full, and nobody measures who waits": Case(
        {("host", "host_cpu_busy_pct"): 99}, ("HW-01", "h"),
        unmeasured=("host_psi_cpu_pct", "vm_ready_pct", "console_mainloop_ms"),
    ),
    "a disk is busy with requests that it answers as ever": Case({("disk", "disk_util_pct"): 90}, (UNKNOWN, "")),
    "a disk with a queue before it": Case(
        {("disk", "disk_util_pct"): 90, ("disk", "disk_queue"): 10, ("disk", "disk_await_ms"): 1.1}, ("HW-05", "h/sda"),
    ),
    "a link is full, and packets queue": Case(
        {("interface", "net_util_pct"): 97, ("console", "console_connect_ms"): 60, ("link", "link_jitter_ms"): 9,
         ("link", "link_rtt_ms"): 60, ("console", "console_update_ms"): 95}, ("NET-02", "h/eth0"),
    ),
    "a video model that is old, and no effect of it": Case(
        {("v3", "vm_cpu_pct"): 30}, (UNKNOWN, ""), labels={"video_model": "cirrus", "disk_bus": "ide"},
    ),
}  # fmt: skip


def fleet(case: Case) -> tuple[list[Panel], Topology]:
    """Panels by kind with noise of 3 %, and the incident's values in its slots."""
    rng = np.random.default_rng(7)
    panels = []
    for kind, levels in USUAL.items():
        extra = {m: 2.0 for (where, m) in case.moves if where in (kind, *NAMES[kind]) and m not in levels}
        known = {m: v for m, v in (levels | extra).items() if m not in case.unmeasured}
        entities = tuple(
            Entity(
                id=name,
                kind=kind,
                parent="" if kind == "host" else name.split("/")[0] if kind == "console" else "h",
                labels=case.labels if name == "v3" else {},
            )
            for name in NAMES[kind]
        )
        values = np.empty((len(entities), SLOTS, len(known)), np.float32)
        for column, (metric, level) in enumerate(known.items()):
            values[..., column] = level * rng.lognormal(0, 0.03, (len(entities), SLOTS))
            for row, entity in enumerate(entities):
                moved = case.moves.get((entity.id, metric), case.moves.get((kind, metric)))
                if moved is not None:
                    values[row, FIRST:LAST, column] = moved
        panels.append(Panel(values, START, 60, entities, DEFINITIONS.catalogue.select(known)))
    return panels, Topology.of(entity for panel in panels for entity in panel.entities)


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_in_every_way_in_which_it_shows(name: str) -> None:
    case = CASES[name]
    panels, topology = fleet(case)
    start, end = panels[0].times[FIRST], panels[0].times[LAST]
    window = IncidentWindow(id="i", start=start, end=end, entities=tuple(entity.id for entity in topology))
    diagnosis = DIAGNOSER.diagnose(window, [panel.between(panel.start, end) for panel in panels], topology)
    assert (diagnosis.top.id, diagnosis.top.entity) == case.right, diagnosis.summary
