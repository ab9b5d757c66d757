"""A second, differently built generator: one host as a discrete simulation, for tests only.

Nothing is shared with brownout.simulation: requests queue one by one (Lindley's recursion) instead of in closed form,
load is a two-state chain instead of a working day, memory moves by random steps. What a diagnosis learned from the
first generator's habits does not help it here.
"""

import numpy as np
from scipy.signal import lfilter

from brownout.domain.entities import Entity, Topology
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel

SLOTS, INTERVAL = 1200, 120
START = np.datetime64("2026-05-04T00:00", "ms")
GUESTS = 5
FAULTS = ("HW-01", "CONT-02", "MAINT-02", "NET-01", "LEAK-01", "VIRT-19", "MAINT-01", "CONT-05")


def _waits(rng: np.random.Generator, load: np.ndarray, service: float) -> np.ndarray:
    """Mean time in a single queue of each slot: thirty arrivals a slot, one after the other."""
    gaps = rng.exponential(1, (len(load), 30)) * service / np.maximum(load, 0.02)[:, None]
    work = rng.gamma(2, service / 2, (len(load), 30))
    wait, total = np.zeros(len(load)), np.zeros(len(load))
    for k in range(30):
        total += wait + work[:, k]
        wait = np.maximum(wait + work[:, k] - gaps[:, k], 0)
    return total / 30


def _chain(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Load that switches between two levels, a few times a day, with slow drift between."""
    flips = np.cumsum(rng.random(SLOTS) < 0.01) % 2
    return lfilter([0.2], [1, -0.8], np.where(flips, high, low)) + rng.normal(0, 0.01, SLOTS)


def make(fault: str, seed: int) -> tuple[list[Panel], Topology, tuple[str, str], np.datetime64, np.datetime64]:
    """Panels, topology, (entity, cause), start and end of one incident in two days of one host."""
    rng = np.random.default_rng(seed)
    on = np.zeros(SLOTS)
    first = int(rng.integers(850, 1000))
    last = first + int(rng.integers(30, 90))
    on[first:last] = 1
    hit = {name: on * (name == fault) for name in FAULTS}
    cpu = np.clip(np.stack([_chain(rng, 0.15, 0.35) for _ in range(GUESTS)]), 0.01, 1)
    use = cpu.mean(axis=0) + 0.9 * hit["HW-01"]
    busy = np.minimum(use, 1)
    late = np.maximum(use - 0.9, 0)
    iops = rng.gamma(4, 8, (GUESTS, SLOTS))
    iops[1] += 1500 * hit["CONT-02"]
    load = np.clip(iops.sum(axis=0) / 1500, 0, 3)
    await_ms = _waits(rng, np.minimum(load, 0.97), 0.4) * (1 + 60 * hit["MAINT-02"])
    rtt = rng.gamma(9, 0.06, SLOTS) + 90 * hit["NET-01"]
    steps = 55 + 4 * np.sin(np.cumsum(rng.normal(0, 0.05, (GUESTS, SLOTS)), axis=1))
    usable = steps.copy()
    ramp = np.clip((np.arange(SLOTS) - (first - 300)) / 330, 0, 1) * (np.arange(SLOTS) < last)
    usable[2] -= 50 * ramp * (fault == "LEAK-01") + 50 * (hit["VIRT-19"] + hit["CONT-05"])
    usable = np.maximum(usable, 1.5)
    short = np.clip((10 - usable) / 10, 0, 1)
    errors = rng.poisson(60 * hit["MAINT-01"])
    connect = rtt + rng.exponential(0.1, (GUESTS, SLOTS))
    update = connect + 14 + _waits(rng, busy * 0.8, 4) + 200 * late + rng.normal(0, 2, (GUESTS, SLOTS))
    columns = {
        "host": {
            "host_cpu_busy_pct": 100 * busy, "host_psi_cpu_pct": 1 + 60 * late + rng.exponential(0.3, SLOTS),
            "host_retrans_pct": 0.02 + 0.02 * errors + rng.exponential(0.01, SLOTS),
            "host_memory_available_pct": 40 + steps.mean(axis=0) / 10, "host_swap_kbs": np.zeros(SLOTS),
        },
        "disk": {"disk_await_ms": await_ms, "disk_util_pct": 100 * np.minimum(load, 1)},
        "interface": {"net_util_pct": 5 + rng.exponential(1, SLOTS), "net_err_per_s": errors},
        "link": {"link_rtt_ms": rtt, "link_jitter_ms": rng.gamma(3, 0.02, SLOTS), "link_loss_pct": np.zeros(SLOTS)},
        "vm": {
            "vm_cpu_pct": 100 * cpu * (1 - late / 2), "vm_ready_pct": rng.exponential(0.3, (GUESTS, SLOTS)) + 40 * late,
            "vm_memory_usable_pct": usable, "vm_swap_kbs": 2500 * short, "vm_disk_iops": iops,
            "vm_balloon_ratio": 1 - 0.5 * hit["VIRT-19"] * (np.arange(GUESTS) == 2)[:, None],
            "vm_disk_await_ms": await_ms * rng.lognormal(0, 0.1, (GUESTS, SLOTS)),
        },
        "console": {
            "console_connect_ms": connect,
            "console_mainloop_ms": 0.3 + 40 * late + rng.exponential(0.1, (GUESTS, SLOTS)),
            "console_update_ms": update, "console_echo_ms": update + 20 + 900 * short**2 + 3 * await_ms,
        },
    }  # fmt: skip
    guests = [f"g{k}" for k in range(GUESTS)]
    names = {kind: [f"n1/{kind}"] for kind in columns}
    names |= {"host": ["n1"], "vm": guests, "console": [f"{guest}/c" for guest in guests]}
    panels = []
    for kind, table in columns.items():
        entities = tuple(
            Entity(id=name, kind=kind, parent=guests[k] if kind == "console" else "" if kind == "host" else "n1")
            for k, name in enumerate(names[kind])
        )
        values = np.stack([np.broadcast_to(v, (len(entities), SLOTS)) for v in table.values()], axis=-1)
        panels.append(Panel(values.astype(np.float32), START, INTERVAL, entities, Catalogue.load().select(table)))
    culprit = {"HW-01": "n1", "MAINT-02": "n1/disk", "NET-01": "n1/link", "MAINT-01": "n1/interface", "CONT-02": "g1"}
    step = np.timedelta64(INTERVAL * 1000, "ms")
    topology = Topology.of(entity for panel in panels for entity in panel.entities)
    return panels, topology, (culprit.get(fault, "g2"), fault), START + first * step, START + last * step
