"""Moves beside peers on simulated fleets: python benchmarks/planning/rebalancing.py [--seeds 971 972 …].

Each fleet is one cluster of four hosts, one of them crowded: 1.8 to 2.5 vCPUs a CPU. After eight days each policy moves
guests for a week, once an hour or once a night, and the same fleet, with the same random numbers, says what came of it.

Policies: doing nothing; the rule of Proxmox VE 9.2's load balancer (imbalance over a threshold for three rounds, then
the best move if it improves the balance by a margin of 10 %); ProxLB's (move the heaviest guest of the fullest host to
the emptiest while their distance is over 10 points); brownout's plan (once a night, CP-SAT on forecast quantiles).
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import Forecasts
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.medians import MedianLevel
from brownout.planning.placing import FleetAhead, Rules, rebalance
from brownout.planning.placing.fleet_ahead import LOAD_METRICS
from brownout.simulation import FleetSettings
from brownout.simulation.events.interventions import Intervention
from brownout.simulation.fleet import Fleet, Plan, plan_fleet, run_plan

DAYS, BEFORE, INTERVAL = 15, 8, 900
DAY = 86_400 // INTERVAL
LIMIT = 80.0
SLO_MS, BASELINE_MS = 100.0, 150.0
THRESHOLD, HOLD, MARGIN = 0.1, 3, 0.1
"""Proxmox VE 9.2: imbalance (deviation over mean), rounds that it must last, least improvement."""
PROXLB_BALANCE = 10.0
"""ProxLB's balanciness: points of percent between the fullest and the emptiest host."""
ROOM = "room for all"
"""The same fleet with four times the CPUs: what is slow there no move can make fast."""
Policy = Callable[[Plan, Fleet, list[Intervention], int], list[Intervention]]


@dataclass(frozen=True)
class Outcome:
    """What came of a policy on one fleet, from the moment of the change on."""

    moves: int
    slo_minutes: float
    echo_minutes: float
    over_limit: float
    harmed: int


def main() -> None:
    """Print a table over all fleets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(971, 979)))
    options = parser.parse_args()
    compare(options.seeds, POLICIES)


def compare(seeds: Sequence[int], policies: Mapping[str, tuple[Policy, int]]) -> None:
    """Let each policy act on the fleets of the seeds, and print what came of it."""
    table: dict[str, list[Outcome]] = {name: [] for name in (ROOM, *policies)}
    for seed in seeds:
        plan = crowded(seed)
        quiet = run_plan(plan)
        roomy = replace(plan, layout=replace(plan.layout, cores=plan.layout.cores * 4))
        table[ROOM].append(_outcome(run_plan(roomy), 0, 0))
        for name, (policy, every) in policies.items():
            table[name].append(run(plan, quiet, policy, every))
    columns = ("policy", "moves", "console minutes over SLO", "echo minutes over 300 ms")
    print("| " + " | ".join((*columns, "host hours over 80 %", "moves that harmed")) + " |")
    print("|---|---|---|---|---|---|")
    for name, outcomes in table.items():
        sums = [sum(getattr(one, field) for one in outcomes) for field in Outcome.__dataclass_fields__]
        print(f"| {name} | {sums[0]} | {sums[1]:.0f} | {sums[2]:.0f} | {sums[3]:.0f} | {sums[4]} |")


def crowded(seed: int) -> Plan:
    """A fleet with one host of more guests and fewer CPUs than the others: too few for its working days."""
    settings = FleetSettings(hosts=4, vms=28, days=DAYS, interval_s=INTERVAL, seed=seed)
    plan = plan_fleet(settings)
    rng = np.random.default_rng(seed)
    layout = plan.layout
    fullest = int(rng.integers(4))
    others = np.flatnonzero(layout.host != fullest)
    host = layout.host.copy()
    host[rng.choice(others, 4, replace=False)] = fullest
    cores = layout.cores.copy()
    cores[fullest] = max(int(layout.vcpus[host == fullest].sum() / rng.uniform(1.8, 2.5)), 8)
    return replace(plan, layout=replace(layout, host=host, cores=cores))


def run(plan: Plan, quiet: Fleet, policy: Policy, every: int) -> Outcome:
    """Let a policy act on what it sees until each moment, then see what came of all of its moves."""
    made: list[Intervention] = []
    fleet, harmed = quiet, 0
    slots = plan.settings.slots
    moment = BEFORE * DAY
    while moment < slots - 1:
        new = policy(plan, fleet, made, moment)
        if new:
            made += new
            after = run_plan(plan.intervened(*made))
            harmed += sum(_harms(plan, fleet, after, one, made) for one in new)
            fleet = after
        moment += every
    return _outcome(fleet, len(made), harmed)


def _outcome(fleet: Fleet, moves: int, harmed: int) -> Outcome:
    consoles, hosts = fleet.panels["console"], fleet.panels["host"]
    since, minutes = BEFORE * DAY, INTERVAL / 60
    update, echo = (_metric(consoles, name)[:, since:] for name in ("console_update_ms", "console_echo_ms"))
    busy = _metric(hosts, "host_cpu_busy_pct")[:, since:]
    return Outcome(
        moves=moves,
        slo_minutes=float((update > SLO_MS).sum() * minutes),
        echo_minutes=float((echo > 300).sum() * minutes),
        over_limit=float((busy > LIMIT).sum() * minutes / 60),
        harmed=harmed,
    )


def _harms(plan: Plan, before: Fleet, after: Fleet, move: Intervention, made: Sequence[Intervention]) -> bool:
    """Whether the day after a move its target is beyond the limit for an hour more than it would have been."""
    del made
    span = slice(move.slot, move.slot + DAY)
    target = move.target if move.target is not None else int(plan.layout.host[move.vm])
    over = [(_metric(f.panels["host"], "host_cpu_busy_pct")[target, span] > LIMIT).sum() for f in (before, after)]
    return bool(over[1] > over[0] + 3600 / INTERVAL)


def nothing(_plan: Plan, _fleet: Fleet, _made: list[Intervention], _moment: int) -> list[Intervention]:
    """Leave everything where it is."""
    return []


class ProxmoxRule:
    """Proxmox VE 9.2: the imbalance of the hosts' loads over a threshold for three rounds, then the best move."""

    def __init__(self) -> None:
        self.rounds: dict[int, int] = {}

    def __call__(self, plan: Plan, fleet: Fleet, made: list[Intervention], moment: int) -> list[Intervention]:
        """The one move of a round, or none."""
        use, guests, at = _now(plan, fleet, made, moment)
        imbalance = use.std() / max(use.mean(), 1e-9)
        key = id(plan)
        self.rounds[key] = self.rounds.get(key, 0) + 1 if imbalance > THRESHOLD else 0
        if self.rounds[key] < HOLD:
            return []
        best, chosen = imbalance * (1 - MARGIN), None
        for vm, source in enumerate(at):
            for target in range(len(use)):
                if target != source and _has_memory(plan, fleet, moment, [vm], target):
                    new = use.copy()
                    new[source] -= guests[vm] / plan.layout.cores[source]
                    new[target] += guests[vm] / plan.layout.cores[target]
                    if new.std() / new.mean() < best:
                        best, chosen = new.std() / new.mean(), (vm, target)
        if chosen is None:
            return []
        self.rounds[key] = 0
        return [Intervention(vm=chosen[0], slot=moment, target=chosen[1])]


def proxlb(plan: Plan, fleet: Fleet, made: list[Intervention], moment: int) -> list[Intervention]:
    """ProxLB: guests of the fullest host go to the emptiest one, the heaviest first, while both are far apart."""
    use, guests, at = _now(plan, fleet, made, moment)
    moves: list[Intervention] = []
    for _ in range(8):
        source, target = int(use.argmax()), int(use.argmin())
        if 100 * (use[source] - use[target]) < PROXLB_BALANCE:
            break
        came = [one.vm for one in moves if one.target == target]
        own = [vm for vm in np.flatnonzero(at == source) if _has_memory(plan, fleet, moment, [*came, int(vm)], target)]
        if not own:
            break
        vm = int(max(own, key=lambda v: guests[v]))
        shift = guests[vm] / plan.layout.cores[source], guests[vm] / plan.layout.cores[target]
        if use[target] + shift[1] >= use[source]:
            break
        use[source] -= shift[0]
        use[target] += shift[1]
        at[vm] = target
        moves.append(Intervention(vm=vm, slot=moment, target=target))
    return moves


def ours(plan: Plan, fleet: Fleet, made: list[Intervention], moment: int) -> list[Intervention]:
    """The plan of a night, with the forecasts of a classical forecaster: no network is trained here."""
    names = plan.layout.host_names
    found = rebalance(ahead(plan, loads_ahead(fleet, moment), made, moment), rules(plan, made, moment))
    return [
        Intervention(vm=plan.layout.vm_names.index(m.guest), slot=moment, target=names.index(m.target))
        for m in found.moves
    ]


def loads_ahead(fleet: Fleet, moment: int) -> list[Forecasts]:
    """Forecasts of the loads of hosts and guests for the day after a slot, blind to what came later."""
    loads = []
    for kind in ("host", "vm"):
        panel = fleet.panels[kind]
        columns = [panel.metric_names.index(name) for name in panel.metric_names if name in LOAD_METRICS]
        seen = panel.select(metrics=columns).between(panel.start, panel.start + moment * panel.step).coarsen(2)
        request = ForecastRequest(seen, (seen.values.shape[1] - 1,), seen.slots_per_day)
        loads.append(MedianLevel().predict(request))
    return loads


def ahead(plan: Plan, loads: Sequence[Forecasts], made: Sequence[Intervention], moment: int) -> FleetAhead:
    """Hosts and guests over the next day, each guest where the moves so far have brought it."""
    layout = plan.layout
    names, at = layout.host_names, _at(plan, made, moment)
    numbers = {name: number for number, name in enumerate(layout.vm_names)}
    now = Topology.of(
        e if e.kind == "host" else replace(e, parent=names[at[numbers[e.id]]], former=_former(plan, made, e.id))
        for e in plan.topology
        if e.kind in ("host", "vm")
    )
    since = plan.settings.start + (moment - 7 * DAY) * np.timedelta64(INTERVAL * 1000, "ms")
    return FleetAhead.of(now, loads, {}, moved_since=since)


def rules(plan: Plan, made: Sequence[Intervention], moment: int) -> Rules:
    """Three moves a night, and none of a guest that was moved within a week."""
    return Rules(budget=3, fixed={plan.layout.vm_names[one.vm] for one in made if one.slot > moment - 7 * DAY})


def _former(plan: Plan, made: Sequence[Intervention], guest: str) -> tuple[tuple[np.datetime64, str], ...]:
    vm, step = plan.layout.vm_names.index(guest), np.timedelta64(INTERVAL * 1000, "ms")
    own = [one for one in made if one.vm == vm and one.target is not None]
    hosts = [int(plan.layout.host[vm]), *(int(one.target or 0) for one in own)]
    return tuple(
        (plan.settings.start + one.slot * step, plan.layout.host_names[host])
        for one, host in zip(own, hosts, strict=False)
    )


def _at(plan: Plan, made: Sequence[Intervention], moment: int) -> np.ndarray:
    at = plan.layout.host.copy()
    for one in sorted(made, key=lambda move: move.slot):
        if one.target is not None and one.slot <= moment:
            at[one.vm] = one.target
    return at


def _now(
    plan: Plan, fleet: Fleet, made: Sequence[Intervention], moment: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of the hosts' CPUs in use in the last hour, CPUs that each guest takes, and where each is."""
    span = slice(moment - 4, moment)
    busy = np.nanmean(_metric(fleet.panels["host"], "host_cpu_busy_pct")[:, span], axis=1) / 100
    cpu = np.nanmean(_metric(fleet.panels["vm"], "vm_cpu_pct")[:, span], axis=1) / 100 * plan.layout.vcpus
    return busy, np.nan_to_num(cpu), _at(plan, made, moment)


def _has_memory(plan: Plan, fleet: Fleet, moment: int, guests: Sequence[int], target: int) -> bool:
    """Whether a host keeps a tenth of its memory available with guests that come."""
    layout = plan.layout
    left = np.nanmean(_metric(fleet.panels["host"], "host_memory_available_pct")[target, moment - 4 : moment])
    more = 100 * sum(layout.guest_memory_gib[vm] for vm in guests) / layout.memory_gib[target]
    return bool(left - more >= 10)


def _metric(panel: Panel, name: str) -> np.ndarray:
    return panel.values[..., panel.metric_names.index(name)]


POLICIES: dict[str, tuple[Policy, int]] = {
    "nothing": (nothing, DAY),
    "Proxmox VE 9.2's rule, hourly": (ProxmoxRule(), DAY // 24),
    "ProxLB's balance, hourly": (proxlb, DAY // 24),
    "brownout, nightly": (ours, DAY),
}

if __name__ == "__main__":
    main()
