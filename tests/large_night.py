"""A night of a large fleet, for what depends on size: every guest measured, hundreds of limits, dozens of incidents."""

from dataclasses import replace

import numpy as np
from nights import chart, hours, night

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.service_levels import ConsoleHistory, ConsoleService, Level
from brownout.domain.forecasts import Series
from brownout.domain.night import ConsoleLevel, Night

__all__ = ["large_night"]

A_HOST = 20
SLOTS = 144
LEVELS = ("vm_cpu_pct", "vm_memory_usable_pct", "vm_ready_pct", "vm_disk_iops")


def large_night(guests: int = 1000, *, seed: int = 3) -> Night:
    """A thousand guests on fifty hosts; a third of them has a limit ahead, forty incidents, all charts."""
    rng, made = np.random.default_rng(seed), night()
    hosts = [f"kvm{n:02}" for n in range(guests // A_HOST)]
    names = [f"vm{n:04}" for n in range(guests)]
    entities = [Entity(id=host, kind="host") for host in hosts]
    entities += [Entity(id=name, kind="vm", parent=hosts[n // A_HOST]) for n, name in enumerate(names)]
    entities += [Entity(id=f"{name}/console", kind="console", parent=name) for name in names]
    consoles = [f"{name}/console" for name in names]
    now = rng.gamma(3, 15, guests)
    leak, diagnosis, action = made.breaches[0], made.diagnoses[0], made.actions[0]
    chances = np.sort(rng.uniform(0.2, 1, guests // 3))[::-1]
    breaches = tuple(
        replace(leak, series=Series(names[3 * n], "vm_memory_usable_pct"), probability=float(chance))
        for n, chance in enumerate(chances)
    )
    incidents = tuple(
        replace(diagnosis, id=f"d{n}", open=n < 8, causes=(replace(diagnosis.causes[0], entity=hosts[n % len(hosts)]),
                                                           diagnosis.causes[1]))
        for n in range(40)
    )  # fmt: skip
    forecasts = {breach.series: chart(breach.series, forecast=True, limit=10.0) for breach in breaches[:24]}
    slow = Series(consoles[0], "console_update_ms")
    return replace(
        made,
        topology=Topology.of(entities),
        breaches=breaches,
        diagnoses=incidents,
        episodes=made.episodes,
        actions=tuple(replace(action, about=f"{b.series.entity} {b.series.metric}", entity=b.series.entity)
                      for b in breaches),
        forecasts=forecasts,
        charts={one.id: {slow: chart(slow, forecast=False, limit=150.0)} for one in incidents[:24]},
        consoles=tuple(
            ConsoleLevel(series=Series(consoles[n], "console_update_ms"), now=float(now[n]), limit=150.0,
                         exceeded=bool(now[n] > 150))
            for n in np.argsort(-now).tolist()
        ),
        services=tuple(
            ConsoleService(console=name, mean_ms=float(level), crisp=0.99, annoying=0.0, frames_per_s=30.0,
                           failed=(0.0,) * 5)
            for name, level in zip(consoles, now, strict=True)
        ),
        histories=tuple(
            ConsoleHistory(console=name, start=hours(0), step_s=1800,
                           values=np.round(rng.gamma(3, 15, SLOTS), 1).astype(np.float32))
            for name in consoles
        ),
        levels=tuple(
            Level(series=Series(name, metric), now=float(a), usual=float(b), busy=float(c), limit=90.0)
            for name in names
            for metric in LEVELS
            for a, b, c in [rng.uniform(0, 100, 3)]
        ),
        suppressed=(), verdicts=(), shifts=(), chronic=(), maintenance=(),
        quality=replace(made.quality, silent=()),
    )  # fmt: skip
