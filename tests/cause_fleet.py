"""One host with four guests that otherwise only have noise, and what moves on it: for causes against their physics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser, Weights
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Diagnosis
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
        "vm_migrating": 0, "vm_net_rx_kbs": 40, "vm_block_job": 0,
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


def fleet(case: Case, *, probe_noise: float = 0.03) -> tuple[list[Panel], Topology]:
    """Panels by kind with noise of 3 %, or another one of what the probe measures, and the incident's values."""
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
        noise = probe_noise if kind in {"console", "link"} else 0.03
        for column, (metric, level) in enumerate(known.items()):
            values[..., column] = level * rng.lognormal(0, noise, (len(entities), SLOTS))
            for row, entity in enumerate(entities):
                moved = case.moves.get((entity.id, metric), case.moves.get((kind, metric)))
                if moved is not None:
                    values[row, FIRST:LAST, column] = moved
        panels.append(Panel(values, START, 60, entities, DEFINITIONS.catalogue.select(known)))
    return panels, Topology.of(entity for panel in panels for entity in panel.entities)


def diagnosed(panels: list[Panel], topology: Topology, *, shift_s: float = 0) -> Diagnosis:
    """What the shipped knowledge says of the incident, whose start is given so much later, or earlier."""
    begin = START + FIRST * np.timedelta64(60, "s") + np.timedelta64(round(shift_s), "s")
    end = START + LAST * np.timedelta64(60, "s")
    window = IncidentWindow(id="i", start=begin, end=end, entities=tuple(entity.id for entity in topology))
    return DIAGNOSER.diagnose(window, [panel.between(panel.start, end) for panel in panels], topology)
