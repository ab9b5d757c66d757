"""Moves by reinforcement learning beside the plan and its peers: python benchmarks/planning/adaptive.py [--steps N].

    pip install -c constraints.txt -r benchmarks/planning/requirements.txt

A policy learns on fleets of its own (``scheduling_env``) by sb3-contrib's MaskablePPO, whose mask is the shield
(``shielded_board``). The same small network scores each choice, so that it knows moves rather than hosts. Then it plans
once a night, as the plan does, on fleets that it never saw, in the whole simulation; so do the plan, the rule of
Proxmox VE, and moves drawn from those that the shield leaves, which shows what is learned beyond the shield.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from gymnasium.utils.env_checker import check_env
from rebalancing import BEFORE, DAY, POLICIES, ahead, compare, loads_ahead, rules
from sb3_contrib import MaskablePPO
from scheduling_env import NIGHTS, SchoolFleet, Schooling
from shielded_board import CHOICES, FEATURES, Board
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from brownout.simulation.events.interventions import Intervention
from brownout.simulation.fleet import Fleet, Plan

SCHOOL = range(2001, 2061)
"""Seeds of the fleets that are learned from."""
WIDTH = 64
Chooser = Callable[[Board], int]


class EachChoice(BaseFeaturesExtractor):
    """The same network for every choice: ``[batch, CHOICES, FEATURES]`` to a score each, ``[batch, CHOICES]``."""

    def __init__(self, space: gymnasium.Space[np.ndarray]) -> None:
        super().__init__(space, CHOICES)
        self.score = torch.nn.Sequential(
            torch.nn.Linear(FEATURES, WIDTH),
            torch.nn.Tanh(),
            torch.nn.Linear(WIDTH, WIDTH),
            torch.nn.Tanh(),
            torch.nn.Linear(WIDTH, 1),
        )

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Scores."""
        scores: torch.Tensor = self.score(seen)
        return scores.squeeze(-1)


@dataclass
class Nightly:
    """Moves of a night, one choice after the other until it stops or the budget is used."""

    choose: Chooser

    def __call__(self, plan: Plan, fleet: Fleet, made: list[Intervention], moment: int) -> list[Intervention]:
        """The moves of this night."""
        forecast = ahead(plan, loads_ahead(fleet, moment), made, moment)
        board = Board(forecast, rules(plan, made, moment), NIGHTS - (moment // DAY - BEFORE))
        moves: list[Intervention] = []
        while (choice := board.choices[self.choose(board)]) is not None:
            guest, target = choice
            vm = plan.layout.vm_names.index(forecast.guests[guest].id)
            host = plan.layout.host_names.index(forecast.hosts[target].id)
            board.move(guest, target)
            moves.append(Intervention(vm=vm, slot=moment, target=host))
        return moves


def learned(fleets: list[SchoolFleet], steps: int, seed: int) -> Chooser:
    """Learn; returns what chooses the best choice."""
    began = time.process_time()
    model = MaskablePPO(
        "MlpPolicy",
        VecMonitor(DummyVecEnv([lambda: Schooling(fleets)] * 8)),
        n_steps=128,
        batch_size=256,
        gamma=1.0,
        ent_coef=0.01,
        seed=seed,
        device="cpu",
        policy_kwargs={
            "features_extractor_class": EachChoice,
            "share_features_extractor": False,
            "net_arch": {"pi": [], "vf": [WIDTH]},
        },
    )
    model.policy.action_net = torch.nn.Identity()  # the scores are the logits: a choice is judged by itself
    model.learn(steps)
    last = [episode["r"] for episode in model.ep_info_buffer]
    took = f"{steps} steps in {time.process_time() - began:.0f} CPU s"
    print(f"learned ({seed}): {took}; {np.mean(last):.1f} CPU-hours saved a week in the last {len(last)} of them")
    return lambda board: int(model.predict(board.seen(), deterministic=True, action_masks=board.mask())[0])


def by_chance(seed: int) -> Chooser:
    """Any choice that the shield leaves."""
    rng = np.random.default_rng(seed)
    return lambda board: int(rng.choice(np.flatnonzero(board.mask())))


def main() -> None:
    """Learn, judge and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(971, 979)))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--learners", type=int, default=2)
    options = parser.parse_args()
    policies = {**POLICIES, "any move within the shield, nightly": (Nightly(by_chance(0)), DAY)}
    torch.set_num_threads(1)
    began = time.process_time()
    fleets = [SchoolFleet.of(number) for number in SCHOOL]
    print(f"{len(SCHOOL)} fleets to learn from: {time.process_time() - began:.0f} CPU s")
    check_env(Schooling(fleets[:1]), skip_render_check=True)
    for seed in range(options.learners):
        policies[f"learned ({seed}), nightly"] = Nightly(learned(fleets, options.steps, seed)), DAY
    compare(options.seeds, policies)


if __name__ == "__main__":
    main()
