"""Guests on hosts as a problem for CP-SAT: one host each, costs in thousandths, the same answer every time."""

from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from brownout.domain.errors import BrownoutError

__all__ = ["SCALE", "Assignment"]

SCALE = 1000
"""CP-SAT counts in whole numbers: a CPU, a GiB or a cost of 1 is so many."""
EFFORT = 20.0
"""Deterministic seconds of search: the best answer until then counts, on every machine the same."""


@dataclass(slots=True, kw_only=True)
class Assignment:
    """A model of which guest is on which host; guests and hosts are numbered from 0."""

    hosts: int
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    on: list[list[cp_model.IntVar]] = field(default_factory=list)
    costs: list[cp_model.LinearExprT] = field(default_factory=list)

    def new_guest(self) -> int:
        """A guest that is on exactly one host; returns its number."""
        guest = len(self.on)
        self.on.append([self.model.new_bool_var(f"guest {guest} on {host}") for host in range(self.hosts)])
        self.model.add_exactly_one(self.on[guest])
        return guest

    def forbid(self, guest: int, host: int) -> None:
        """Keep a guest off a host."""
        self.model.add(self.on[guest][host] == 0)

    def cost(self, guest: int, host: int, size: float) -> None:
        """Add the cost of placing a guest on a host."""
        self.costs.append(round(size * SCALE) * self.on[guest][host])

    def start_from(self, guest: int, host: int) -> None:
        """Start the search with a guest on its present host."""
        for index, chosen in enumerate(self.on[guest]):
            self.model.add_hint(chosen, int(index == host))

    def solve(self) -> list[int]:
        """The host of each guest at the lowest cost; raises BrownoutError where nothing is possible."""
        self.model.minimize(sum(self.costs))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = EFFORT
        status = solver.solve(self.model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            what = f"No placement was found: the solver says {solver.status_name(status)}."
            raise BrownoutError(what, remedy="Relax [placement] in the settings: its groups cannot be kept.")
        return [next(h for h, chosen in enumerate(row) if solver.boolean_value(chosen)) for row in self.on]
