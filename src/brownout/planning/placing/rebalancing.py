"""Moves that keep hosts from being too busy tomorrow: few, only where they help, and none that harms its target."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from brownout.domain.findings.capacity_plan import MovePlan, PlannedMove
from brownout.domain.panel import Doubles
from brownout.planning.headroom import LEAST_MEMORY, MOST_CPU_PCT
from brownout.planning.placing.assignment import SCALE, Assignment
from brownout.planning.placing.fleet_ahead import FleetAhead, GuestAhead, HostAhead

__all__ = ["Rules", "rebalance"]

STEPS = 24
"""Parts of the day that a host's peak is looked at in."""
CANDIDATES = 8
"""Guests of each busy host that may be moved: those that take most where it is short."""
TARGETS = 24
"""Hosts that may take guests in: the emptiest ones."""
A_MOVE = 1.0
"""CPU-hours beyond the limit, or GiB of memory that are short, that a move must save to be worth its risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a site asks of moves.

    Attributes
    ----------
    budget
        Moves in a night at most.
    together, apart
        Groups of guests that must be on one host, or on different ones. A group that is not so now is left alone.
    fixed
        Guests that are not moved: pinned, or moved lately.
    """

    budget: int = 3
    together: tuple[tuple[str, ...], ...] = ()
    apart: tuple[tuple[str, ...], ...] = ()
    fixed: Collection[str] = ()


@dataclass(slots=True, kw_only=True)
class _Problem:
    """Hosts, the guests that may move, and what each takes in each part of the day, ``[guest, part]``.

    ``staying`` is the host of each guest that is not moved.
    """

    hosts: Sequence[HostAhead]
    guests: Sequence[GuestAhead]
    used: Doubles
    usual: Doubles
    most: Doubles
    at: Sequence[int]
    staying: Mapping[str, str]
    solver: Assignment = field(init=False)

    def __post_init__(self) -> None:
        self.solver = Assignment(hosts=len(self.hosts))


def rebalance(fleet: FleetAhead, rules: Rules) -> MovePlan:
    """Moves off hosts that will be busier than the limit tomorrow; none where none helps.

    A guest that leaves relieves a host by its median, one that comes loads it by its 90 % quantile: a move must help
    even so. No host that takes a guest in goes beyond the limits of CPU and memory by it.
    """
    busy = [host for host in fleet.hosts if _is_busy(host) or _memory_left(host) < 0]
    problem = _problem(fleet, rules, busy)
    names = tuple(host.id for host in busy)
    if problem is None or not rules.budget:
        return MovePlan(busy=names)
    _constrain(problem, rules)
    chosen = problem.solver.solve()
    moved = [guest for guest, host in enumerate(chosen) if host != problem.at[guest]]
    return MovePlan(moves=tuple(_moves(problem, chosen, moved)), busy=names)


def _problem(fleet: FleetAhead, rules: Rules, busy: Sequence[HostAhead]) -> _Problem | None:
    """The busy hosts with the guests that take most there, and the emptiest hosts that may take them."""
    fixed = set(rules.fixed)
    guests: list[GuestAhead] = []
    for host in busy:
        peak = int(_parts(host.used).argmax())
        own = [guest for guest in fleet.guests if guest.host == host.id and guest.id not in fixed]
        by_cpu = sorted(own, key=lambda guest: (-_parts(guest.usual)[peak], guest.id))
        by_memory = sorted(own, key=lambda guest: (-guest.memory_gib, guest.id))
        guests += (by_cpu if _is_busy(host) else by_memory)[:CANDIDATES]
    names = {host.id for host in busy}
    others = [host for host in fleet.hosts if host.id not in names and not host.refused]
    others.sort(key=lambda host: (_parts(host.used).max(initial=0) / host.cpus, host.id))
    hosts = [*busy, *others[:TARGETS]]
    if not guests or not others:
        return None
    host_index = {host.id: number for number, host in enumerate(hosts)}
    return _Problem(
        hosts=hosts,
        guests=guests,
        used=np.array([_parts(host.used) for host in hosts]),
        usual=np.array([_parts(guest.usual) for guest in guests]),
        most=np.array([_parts(guest.most) for guest in guests]),
        at=[host_index[guest.host] for guest in guests],
        staying={guest.id: guest.host for guest in fleet.guests if guest not in guests},
    )


def _constrain(problem: _Problem, rules: Rules) -> None:
    solver, hosts = problem.solver, problem.hosts
    stays = []
    for number, guest in enumerate(problem.guests):
        solver.new_guest()
        home = problem.at[number]
        solver.start_from(number, home)
        stays.append(solver.on[number][home])
        for index, host in enumerate(hosts):
            if index != home and (host.refused or host.site != hosts[home].site or guest.vcpus > host.cpus):
                solver.forbid(number, index)
    solver.model.add(sum(stays) >= len(stays) - rules.budget)
    solver.costs += [round(A_MOVE * SCALE) * (1 - stay) for stay in stays]
    for index in range(len(hosts)):
        _limit(problem, index)
    _keep_groups(problem, rules)


def _limit(problem: _Problem, index: int) -> None:
    """A host pays for what it uses beyond the limit; one that takes a guest in may not be beyond it at all."""
    solver, host = problem.solver, problem.hosts[index]
    model, coming = solver.model, [n for n, home in enumerate(problem.at) if home != index]
    leaving = [n for n, home in enumerate(problem.at) if home == index]
    limit = round(host.cpus * MOST_CPU_PCT / 100 * SCALE)
    takes = model.new_bool_var(f"host {index} takes")
    for number in coming:
        model.add_implication(solver.on[number][index], takes)
    for part in range(problem.used.shape[1]):
        load = round(problem.used[index, part] * SCALE)
        load += sum(round(problem.most[n, part] * SCALE) * solver.on[n][index] for n in coming)
        load -= sum(round(problem.usual[n, part] * SCALE) * (1 - solver.on[n][index]) for n in leaving)
        most = round((problem.used[index, part] + problem.most[coming, part].sum()) * SCALE) + 1
        beyond = model.new_int_var(0, max(most, 0), f"beyond {index} {part}")
        model.add(beyond >= load - limit)
        model.add(load <= limit).only_enforce_if(takes)
        solver.costs.append(beyond)
    left = round(_memory_left(host) * SCALE)
    sizes = [round(guest.memory_gib * SCALE) for guest in problem.guests]
    model.add(sum(sizes[n] * solver.on[n][index] for n in coming) <= max(left, 0))
    short = model.new_int_var(0, max(-left, 0), f"memory short {index}")
    model.add(short >= -left - sum(sizes[n] * (1 - solver.on[n][index]) for n in leaving))
    solver.costs.append(short)


def _keep_groups(problem: _Problem, rules: Rules) -> None:
    """Groups that are as they should be now stay so."""
    number = {guest.id: n for n, guest in enumerate(problem.guests)}
    where: Mapping[str, int] = {guest.id: home for guest, home in zip(problem.guests, problem.at, strict=True)}
    solver = problem.solver
    for group in rules.together:
        members = [number[name] for name in group if name in number]
        if len(members) < len(group):  # the others stay where they are, and so do these
            for member in members:
                solver.model.add(solver.on[member][problem.at[member]] == 1)
        elif len({where[name] for name in group}) == 1:
            for member in members[1:]:
                for one, other in zip(solver.on[members[0]], solver.on[member], strict=True):
                    solver.model.add(one == other)
    for group in rules.apart:
        members = [number[name] for name in group if name in number]
        for index, host in enumerate(problem.hosts):
            there = sum(problem.staying.get(name) == host.id for name in group)
            already = there + sum(problem.at[member] == index for member in members)
            solver.model.add(there + sum(solver.on[member][index] for member in members) <= max(already, 1))


def _moves(problem: _Problem, chosen: Sequence[int], moved: Sequence[int]) -> list[PlannedMove]:
    before = problem.used.copy()
    after = before.copy()
    for guest in moved:
        after[problem.at[guest]] -= problem.usual[guest]
        after[chosen[guest]] += problem.most[guest]
    peaks = [100 * used.max(axis=1) / [host.cpus for host in problem.hosts] for used in (before, after)]
    moved = sorted(moved, key=lambda guest: (-problem.usual[guest].max(), problem.guests[guest].id))
    return [
        PlannedMove(
            guest=problem.guests[guest].id,
            source=problem.hosts[problem.at[guest]].id,
            target=problem.hosts[chosen[guest]].id,
            source_before=float(peaks[0][problem.at[guest]]),
            source_after=float(peaks[1][problem.at[guest]]),
            target_before=float(peaks[0][chosen[guest]]),
            target_after=float(peaks[1][chosen[guest]]),
            lacks_gib=max(-_memory_left(problem.hosts[problem.at[guest]]), 0.0),
            frees_gib=problem.guests[guest].memory_gib,
        )
        for guest in moved
    ]


def _is_busy(host: HostAhead) -> bool:
    return float(_parts(host.used).max(initial=0)) > host.cpus * MOST_CPU_PCT / 100


def _memory_left(host: HostAhead) -> float:
    """GiB above what must stay available; below 0 where that is short."""
    return host.free_gib - LEAST_MEMORY * host.memory_gib


def _parts(path: Doubles) -> Doubles:
    """The highest step of each part of the day; a shorter path has as many parts as steps."""
    return np.array([part.max() for part in np.array_split(path, min(STEPS, len(path)))]) if len(path) else path
