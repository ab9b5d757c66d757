"""A week of nightly moves on simulated fleets as an environment of Gymnasium, with the shield as its action mask.

An episode is one fleet. Each night begins with the forecasts that the plan sees; a step is one move or to stop for the
night. The reward of a move is what it saves of the rest of the week, in CPU-hours that hosts would be asked for beyond
80 %, by what guests ask for in the same fleet with room for all; less one for the move, as in the plan. So the sum of
an episode is what was saved against doing nothing.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from rebalancing import BEFORE, DAY, INTERVAL, LIMIT, ahead, crowded, loads_ahead, rules
from shielded_board import CHOICES, FEATURES, Board

from brownout.domain.forecasts import Forecasts
from brownout.simulation.events.interventions import Intervention
from brownout.simulation.fleet import Plan, run_plan

__all__ = ["SchoolFleet", "Schooling"]

NIGHTS = 7
A_MOVE = 1.0
"""CPU-hours that a move must save, as in the plan."""
OVERHEAD = 0.04
"""Share of its CPUs that a host takes for itself."""


@dataclass(frozen=True)
class SchoolFleet:
    """A fleet to learn from: the forecasts of each night, and what guests will ask for, ``[guest, slot]`` in CPUs."""

    plan: Plan
    loads: tuple[list[Forecasts], ...]
    demand: np.ndarray

    @classmethod
    def of(cls, seed: int) -> "SchoolFleet":
        """The fleet of a seed, run once as it is and once with four times the CPUs, where nobody waits."""
        plan = crowded(seed)
        quiet = run_plan(plan)
        panel = run_plan(replace(plan, layout=replace(plan.layout, cores=plan.layout.cores * 4))).panels["vm"]
        share = np.nan_to_num(panel.values[..., panel.metric_names.index("vm_cpu_pct")]) / 100
        loads = tuple(loads_ahead(quiet, (BEFORE + night) * DAY) for night in range(NIGHTS))
        return cls(plan, loads, share * plan.layout.vcpus[:, None])

    @cached_property
    def limits(self) -> np.ndarray:
        """CPUs that guests of each host may take together before it is beyond its limit."""
        return np.asarray(self.plan.layout.cores * (LIMIT / 100 - OVERHEAD))

    def beyond(self, at: np.ndarray, since: int) -> float:
        """CPU-hours beyond the limits from a slot to the end of the week, with each guest on host ``at``."""
        load = np.zeros((len(self.limits), self.demand.shape[1] - since))
        np.add.at(load, at, self.demand[:, since:])
        return float(np.maximum(load - self.limits[:, None], 0).sum() * INTERVAL / 3600)


class Schooling(gymnasium.Env[np.ndarray, np.int64]):
    """One fleet after the other, in an order that the seed draws."""

    observation_space = gymnasium.spaces.Box(-10, 30, (CHOICES, FEATURES), np.float32)
    action_space = gymnasium.spaces.Discrete(CHOICES)

    def __init__(self, fleets: list[SchoolFleet]) -> None:
        self.fleets = fleets

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin a week."""
        super().reset(seed=seed, options=options)
        self.fleet = self.fleets[int(self.np_random.integers(len(self.fleets)))]
        self.at = self.fleet.plan.layout.host.copy()
        self.made: list[Intervention] = []
        self.night = 0
        self._dusk()
        return self.board.seen(), {}

    def action_masks(self) -> np.ndarray:
        """What the shield leaves."""
        return self.board.mask()

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """A move, or the end of a night."""
        choice, reward = self.board.choices[int(action)], 0.0
        if choice is not None and self.board.allowed(*choice):
            reward = self._move(*choice)
        if choice is None or not self.board.budget:
            self.night += 1
            if self.night < NIGHTS:
                self._dusk()
        return self.board.seen(), reward, self.night == NIGHTS, False, {}

    @property
    def moment(self) -> int:
        """The slot that a night's moves are made at."""
        return (BEFORE + self.night) * DAY

    def _dusk(self) -> None:
        plan, made = self.fleet.plan, self.made
        forecast = ahead(plan, self.fleet.loads[self.night], made, self.moment)
        self.board = Board(forecast, rules(plan, made, self.moment), NIGHTS - self.night)

    def _move(self, guest: int, target: int) -> float:
        """Make a move; returns what it saves of the rest of the week."""
        layout, board = self.fleet.plan.layout, self.board
        vm = layout.vm_names.index(board.fleet.guests[guest].id)
        host = layout.host_names.index(board.fleet.hosts[target].id)
        before = self.fleet.beyond(self.at, self.moment)
        board.move(guest, target)
        self.at[vm] = host
        self.made.append(Intervention(vm=vm, slot=self.moment, target=host))
        return before - self.fleet.beyond(self.at, self.moment) - A_MOVE
