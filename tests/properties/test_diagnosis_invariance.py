"""Diagnosis does not depend on what says nothing about the fault: sampling, names, company, a start off by minutes."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from cause_fleet import START, USUAL, Case, diagnosed, fleet

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.metrics import Metric, Role
from brownout.domain.panel import Panel

Fleet = tuple[list[Panel], Topology]
FAULTS = {
    "a quota": Case(
        {("v1", "vm_throttled_pct"): 70, ("v1/console", "console_mainloop_ms"): 27,
         ("v1/console", "console_update_ms"): 70}, ("VIRT-04", "v1"),
    ),
    "a full host": Case(
        {("host", "host_cpu_busy_pct"): 99, ("host", "host_psi_cpu_pct"): 34, ("vm", "vm_ready_pct"): 14,
         ("console", "console_mainloop_ms"): 15}, ("HW-01", "h"),
    ),
    "slow storage": Case(
        {("disk", "disk_util_pct"): 96, ("disk", "disk_write_kbs"): 18, ("disk", "disk_await_ms"): 12,
         ("vm", "vm_disk_await_ms"): 12},
        ("HW-05", "h/sda"),
    ),
    "a longer path": Case(
        {("link", "link_rtt_ms"): 85, ("console", "console_connect_ms"): 85, ("console", "console_update_ms"): 120},
        ("NET-01", "h/link"),
    ),
    "loss": Case(
        {("link", "link_loss_pct"): 4, ("host", "host_retrans_pct"): 3, ("console", "console_update_ms"): 140},
        ("NET-03", "h/link"),
    ),
    "a full uplink": Case(
        {("interface", "net_util_pct"): 97, ("console", "console_connect_ms"): 60, ("link", "link_rtt_ms"): 60,
         ("link", "link_jitter_ms"): 9, ("console", "console_update_ms"): 95}, ("NET-02", "h/eth0"),
    ),
    "many viewers": Case(
        {("v1/console", "console_worker_pct"): 97, ("v1/console", "console_clients"): 12,
         ("v1/console", "console_fps"): 9, ("v1/console", "console_update_ms"): 140}, ("HW-06", "v1"),
    ),
    "a throttled clock": Case(
        {("host", "host_freq_ratio"): 0.55, ("host", "host_throttle_per_min"): 30, ("host", "host_cpu_busy_pct"): 62,
         ("vm", "vm_ready_pct"): 4}, ("PWR-01", "h"),
    ),
}  # fmt: skip


def coarser(panels: list[Panel], topology: Topology) -> Fleet:
    return [panel.coarsen(5) for panel in panels], topology


def finer(panels: list[Panel], topology: Topology) -> Fleet:
    return [replace(p, values=np.repeat(p.values, 4, axis=1), interval_s=15) for p in panels], topology


def in_reverse(panels: list[Panel], topology: Topology) -> Fleet:
    turned = [
        panel.select(entities=list(range(len(panel.entities)))[::-1], metrics=list(range(len(panel.metrics)))[::-1])
        for panel in reversed(panels)
    ]
    return turned, Topology.of(reversed(list(topology)))


def with_idle_company(panels: list[Panel], topology: Topology) -> Fleet:
    """Two guests that do nothing on the same host, and a host with four more."""
    parents = {"h": 2, "g": 4}
    idle = [Entity(id="g", kind="host")]
    for host, count in parents.items():
        idle += [Entity(id=f"{host}-idle{n}", kind="vm", parent=host) for n in range(count)]
    rng, more = np.random.default_rng(3), []
    for panel in panels:
        new = tuple(entity for entity in idle if entity.kind == panel.entities[0].kind)
        low = {name: level * (0.05 if name in {"vm_cpu_pct", "host_cpu_busy_pct"} else 1)
               for levels in USUAL.values() for name, level in levels.items()}  # fmt: skip
        shape = (len(new), panel.values.shape[1], len(panel.metrics))
        levels = np.array([low.get(name, 2.0) for name in panel.metric_names], np.float32)
        values = (levels * rng.lognormal(0, 0.03, shape)).astype(np.float32)
        both = np.concatenate([panel.values, values])
        more.append(replace(panel, values=both, entities=(*panel.entities, *new)))
    return more, Topology.of([*topology, *idle])


@pytest.mark.parametrize("change", [coarser, finer, in_reverse, with_idle_company])
@pytest.mark.parametrize("name", FAULTS)
def test_the_answer_does_not_change(name: str, change: Callable[[list[Panel], Topology], Fleet]) -> None:
    diagnosis = diagnosed(*change(*fleet(FAULTS[name])))
    assert (diagnosis.top.id, diagnosis.top.entity) == FAULTS[name].right, diagnosis.summary


@pytest.mark.parametrize("shift_s", [-120, 120])
@pytest.mark.parametrize("name", FAULTS)
def test_a_start_two_minutes_early_or_late_gives_the_same_answer(name: str, shift_s: float) -> None:
    diagnosis = diagnosed(*fleet(FAULTS[name]), shift_s=shift_s)
    assert (diagnosis.top.id, diagnosis.top.entity) == FAULTS[name].right, diagnosis.summary


@pytest.mark.parametrize("name", FAULTS)
def test_a_probe_with_twice_the_noise_gives_the_same_answer(name: str) -> None:
    diagnosis = diagnosed(*fleet(FAULTS[name], probe_noise=0.06))
    assert (diagnosis.top.id, diagnosis.top.entity) == FAULTS[name].right, diagnosis.summary


@pytest.mark.parametrize("name", FAULTS)
def test_other_names_give_the_same_answer(name: str) -> None:
    panels, topology = fleet(FAULTS[name])
    new = {entity.id: f"{len(topology) - number:03d}-x" for number, entity in enumerate(topology)} | {"": ""}

    def renamed(entity: Entity) -> Entity:
        return replace(entity, id=new[entity.id], parent=new[entity.parent])

    moved = [replace(panel, entities=tuple(renamed(entity) for entity in panel.entities)) for panel in panels]
    diagnosis = diagnosed(moved, Topology.of(renamed(entity) for entity in topology))
    cause, entity = FAULTS[name].right
    assert (diagnosis.top.id, diagnosis.top.entity) == (cause, new[entity]), diagnosis.summary


@pytest.mark.parametrize("name", FAULTS)
def test_a_weaker_fault_becomes_unknown_and_never_another_one(name: str) -> None:
    answers = []
    for strength in (1, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1, 0.05, 0):
        diagnosis = diagnosed(*fleet(_weaker(FAULTS[name], strength)))
        answers.append((diagnosis.top.id, diagnosis.top.entity))
    right = [answer == FAULTS[name].right for answer in answers]
    assert right == sorted(right, reverse=True), answers
    assert right[0]
    assert {answer for answer in answers if answer != FAULTS[name].right} == {(UNKNOWN, "")}, answers


WORK = ("disk_util_pct", "net_util_pct", "host_cpu_busy_pct", "console_worker_pct", "disk_write_kbs", "console_clients")
"""What grows in proportion to what is asked for; what waits before a full resource grows as use / (1 - use)."""


def _weaker(case: Case, strength: float) -> Case:
    usual = {name: level for levels in USUAL.values() for name, level in levels.items()}
    full = [(usual[name], value) for (_, name), value in case.moves.items() if name.endswith("_pct") and name in WORK]
    waits = strength
    for idle, busy in full:
        if busy > 90:
            waits = _queue(idle + strength * (busy - idle)) / _queue(busy)
    moves = {
        (entity, name): (level := usual.get(name, 2.0)) + (strength if name in WORK else waits) * (value - level)
        for (entity, name), value in case.moves.items()
    }
    return replace(case, moves=moves)


def _queue(busy_pct: float) -> float:
    return busy_pct / (100 - busy_pct)


SERVICES: Mapping[str, Role] = {"cpu_usage": Role.CPU, "mem_usage": Role.MEMORY, "latency": Role.LATENCY}


def services(scale: Mapping[str, float], *, doubled: str = "") -> Cause:
    """The answer where the CPU of one of five services jumps, in other units or with a metric under two names."""
    rng = np.random.default_rng(5)
    names = [*SERVICES, *([doubled] if doubled else [])]
    values = np.stack([20 * rng.lognormal(0, 0.05, (5, 400)) for _ in SERVICES], axis=2)
    values[2, 340:380, 0] *= 4
    values[2, 345:380, 2] *= 2
    if doubled:
        values = np.concatenate([values, values[..., [names.index(doubled)]]], axis=2)
    values *= np.array([scale.get(name, 1.0) for name in names])
    metrics = [Metric(name=name, role=role) for name, role in SERVICES.items()]
    metrics += [Metric(name=f"again_{doubled}", role=SERVICES[doubled])] if doubled else []
    entities = tuple(Entity(id=f"service{n}", kind="service") for n in range(5))
    panel = Panel(values.astype(np.float32), START, 5, entities, tuple(metrics))
    start, end = panel.times[340], panel.times[380]
    window = IncidentWindow(id="i", start=start, end=end, entities=panel.entity_ids)
    seen = [panel.between(panel.start, end)]
    return Diagnoser(Knowledge.load()).diagnose(window, seen, Topology.of(entities)).top


def test_units_and_a_metric_under_two_names_change_nothing() -> None:
    plain = services({})
    assert (plain.id, plain.entity) == ("cpu", "service2")
    for other in (
        services({"cpu_usage": 1e-3, "mem_usage": 2**20, "latency": 1e3}),
        services({}, doubled="mem_usage"),
        services({}, doubled="cpu_usage"),
    ):
        assert (other.id, other.entity) == (plain.id, plain.entity)
        assert other.probability == pytest.approx(plain.probability, abs=0.02)
