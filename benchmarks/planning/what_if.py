"""What-if beside a simulator that does it: python benchmarks/planning/what_if.py [--seeds 1101 1102 …] [--changes 8].

Each fleet is simulated for three weeks. From the first two a what-if is worked out; then the same fleet, with the same
random numbers, is simulated again with the guest moved or resized, and the last week of both says what the change did.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.panel import Panel
from brownout.planning.what_if import GuestMove, GuestResize, HostedLoads, changed_loads, console_effects
from brownout.planning.what_if.console_effects import LEVELS, ConsoleEffect, LatencyHistory
from brownout.simulation import FleetSettings
from brownout.simulation.events.interventions import Intervention
from brownout.simulation.fleet import Fleet, Plan, plan_fleet, run_plan

DAYS, LEARNED, LATELY = 21, 14, 7
METRICS = ("console_update_ms", "console_echo_ms")
SMALL = 0.02
"""Share of the latency below which an effect is called small."""


@dataclass(frozen=True)
class Case:
    """An effect that was foretold, and what came."""

    kind: str
    metric: str
    level: float
    told: ConsoleEffect
    came: float

    @property
    def inside(self) -> bool:
        """Whether what came lies in the interval."""
        return self.told.low - self.told.before <= self.came <= self.told.high - self.told.before

    @property
    def large(self) -> bool:
        """Whether the effect can be noticed at all."""
        return abs(self.came) >= SMALL * self.told.before


def main() -> None:
    """Print a table of coverage and errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1101, 1109)))
    parser.add_argument("--changes", type=int, default=8)
    parser.add_argument("--interval", type=int, default=300)
    options = parser.parse_args()
    show([case for seed in options.seeds for case in cases_of(seed, options.changes, options.interval)])


def cases_of(seed: int, changes: int, interval: int) -> Iterator[Case]:
    """All effects of some random changes of one fleet."""
    settings = FleetSettings(hosts=4, vms=24, days=DAYS, interval_s=interval, seed=seed)
    plan = plan_fleet(settings)
    fleet, rng = run_plan(plan), np.random.default_rng(seed)
    learned = LEARNED * 86_400 // interval
    hosts = list(plan.layout.host_names)
    panels = [panel.between(panel.start, panel.start + learned * panel.step) for panel in fleet.panels.values()]
    loads = HostedLoads.of(hosts, panels, fleet.topology)
    for number in range(changes):
        change = _draw(plan, rng, learned, moves=number % 2 == 0)
        after = changed_loads(loads, *_as_asked(change, plan))
        groups = _groups(change, loads, plan)
        truth = run_plan(plan.intervened(change))
        for metric in METRICS:
            history = history_of(loads, panels, fleet.topology, metric)
            told = console_effects(history, loads, after, groups)
            for name, effects in told.items():
                came = _came(fleet, truth, [loads.guests[row] for row in groups[name]], metric, learned)
                for level, effect, real in zip(LEVELS, effects, came, strict=True):
                    yield Case(name.partition(" ")[0], metric, level, effect, real)


def history_of(loads: HostedLoads, panels: list[Panel], topology: Topology, metric: str) -> LatencyHistory:
    """Latency of the console of each guest of some loads."""
    panel = next(panel for panel in panels if metric in panel.metric_names)
    rows = [panel.entity_ids.index(topology.children[guest][0]) for guest in loads.guests]
    columns = [panel.metric_names.index(name) for name in (metric, "console_connect_ms")]
    latency, connect = (panel.values[rows][..., column].astype(float) for column in columns)
    days = (np.arange(latency.shape[1]) * panel.interval_s) // 86_400
    return LatencyHistory(
        latency=latency,
        connect=connect,
        days=days,
        lately=days >= LEARNED - LATELY,
        of_guest=metric == "console_echo_ms",
    )


def _draw(plan: Plan, rng: np.random.Generator, slot: int, *, moves: bool) -> Intervention:
    """A guest that moves to a host with room for its memory, or gets half or twice its vCPUs or memory."""
    layout = plan.layout
    while True:
        vm = int(rng.integers(len(layout.vcpus)))
        if moves:
            target = int(rng.integers(len(layout.cores)))
            if target != layout.host[vm] and layout.guest_memory_gib[vm] < 0.2 * layout.memory_gib[target]:
                return Intervention(vm=vm, slot=slot, target=target)
            continue
        factor = float(rng.choice([0.5, 2.0]))
        if rng.random() < 0.5 and layout.vcpus[vm] * factor >= 1:
            return Intervention(vm=vm, slot=slot, vcpus=int(layout.vcpus[vm] * factor))
        return Intervention(
            vm=vm, slot=slot, memory_gib=float(layout.guest_memory_gib[vm] * (0.6 if factor < 1 else 2))
        )


def _as_asked(change: Intervention, plan: Plan) -> tuple[list[GuestMove], list[GuestResize]]:
    guest = plan.layout.vm_names[change.vm]
    if change.target is not None:
        return [GuestMove(guest=guest, host=plan.layout.host_names[change.target])], []
    return [], [GuestResize(guest=guest, vcpus=change.vcpus, memory_gib=change.memory_gib)]


def _groups(change: Intervention, loads: HostedLoads, plan: Plan) -> dict[str, list[int]]:
    guest = loads.guests.index(plan.layout.vm_names[change.vm])
    kind = "moved" if change.target is not None else "vcpus" if change.vcpus is not None else "memory"
    groups = {kind: [guest]}
    if change.target is not None:
        for host in (int(loads.at[guest]), loads.hosts.index(plan.layout.host_names[change.target])):
            groups[f"others {host}"] = [row for row in np.flatnonzero(loads.at == host).tolist() if row != guest]
    return groups


def _came(fleet: Fleet, truth: Fleet, guests: list[str], metric: str, since: int) -> list[float]:
    names = [f"{guest}/console" for guest in guests]
    quantiles = []
    for one in (truth, fleet):
        panel = one.panels["console"]
        rows = [panel.entity_ids.index(name) for name in names]
        values = panel.values[rows][:, since:, panel.metric_names.index(metric)]
        quantiles.append(np.nanquantile(values, LEVELS))
    return (quantiles[0] - quantiles[1]).tolist()


def show(cases: list[Case]) -> None:
    """Coverage, middle error and middle size of effects, by kind of change, metric and level."""
    columns = ("what", "latency", "quantile", "effects", "inside 80 %", "large ones", "median effect ms")
    print("| " + " | ".join((*columns, "median error ms", "width ms")) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    groups: dict[tuple[str, str, float | str], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.kind, case.metric, case.level].append(case)
        groups["all", "both", "both"].append(case)
    for (kind, metric, level), members in sorted(groups.items(), key=lambda item: str(item[0])):
        large = [case for case in members if case.large]
        inside = np.mean([case.inside for case in members])
        of_large = f"{np.mean([case.inside for case in large]):.2f} of {len(large)}" if large else "–"
        size = np.median([abs(case.came) for case in members])
        error = np.median([abs(case.told.after - case.told.before - case.came) for case in members])
        width = np.median([case.told.high - case.told.low for case in members])
        figures = f"{len(members)} | {inside:.2f} | {of_large} | {size:.2f} | {error:.2f} | {width:.2f}"
        print(f"| {kind} | {metric} | {level} | {figures} |")


if __name__ == "__main__":
    main()
