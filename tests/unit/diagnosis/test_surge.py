"""Surges against a naive loop, what they are made to ignore, and how they stand changes that change nothing."""

from functools import cache

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.evidence.surge import PEER_SHARE, UNIT_SPREADS, surges
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause
from brownout.domain.metrics import Metric, Role
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
CPU = Metric(name="cpu", role=Role.CPU)
ROLES = (Role.CPU, Role.MEMORY, Role.LATENCY, Role.DISK_WRITE)
FAULT_S, END_S, SERVICES, CULPRIT = 720, 960, 6, 3


def panel(values: np.ndarray, interval_s: int = 5) -> Panel:
    entities = tuple(Entity(id=f"s{row}") for row in range(len(values)))
    return Panel(values[:, :, None].astype(np.float32), START, interval_s, entities, (CPU,))


def after(seconds: float) -> np.datetime64:
    return START + np.timedelta64(round(seconds * 1000), "ms")


def naive(values: list[float], peers: float, peer_spread: float, begin: int) -> tuple[list[float], float]:
    """The definition, one complete series at 5 s at a time: surges from ``begin`` on, and the spread of the baseline.

    Values are medians of three; a level is held for six slots, in one of which it may be lower.
    """
    smooth = [float(np.median(values[max(slot - 1, 0) : slot + 2])) for slot in range(len(values))]
    past = sorted(smooth[:begin])
    floor = PEER_SHARE * peers
    base = past[int(0.5 * (len(past) - 1))] + floor
    logs = [float(np.log((value + floor) / base)) for value in smooth]

    def held(part: list[float]) -> list[float]:
        return [sorted(part[k : k + 6])[1] for k in range(len(part) - 5)]

    usually = sorted(held(logs[:begin]))
    low, reach = (usually[int(level * (len(usually) - 1))] for level in (0.05, 0.95))
    spread = (reach - low) / 3.29
    unit = UNIT_SPREADS * (max(spread, peer_spread) + 0.05)
    return [(value - max(reach, 0)) / unit for value in held(logs[begin:])], spread


def test_surges_are_those_of_the_definition() -> None:
    values = np.random.default_rng(0).lognormal(0, 0.3, (4, 200))
    values[1, 160:] *= 20
    found = surges([panel(values)], after(160 * 5), after(195 * 5))
    onset = int((found["s1", "cpu"].onset - START) / np.timedelta64(5, "s"))
    assert abs(onset - 160) <= 1
    begin = onset - 3  # a guard of 15 s
    peers = float(np.median([sorted(row[:160])[int(0.5 * 159)] for row in values]))
    spreads = [naive(row.tolist(), peers, 0.0, begin)[1] for row in values]
    for row in range(4):
        curve, _ = naive(values[row, :195].tolist(), peers, float(np.median(spreads)), begin)
        whole, early = max(*curve, 0.0), max(*curve[: 3 + 6 + 1], 0.0)
        assert found[f"s{row}", "cpu"].whole == pytest.approx(whole, abs=1e-4)
        assert found[f"s{row}", "cpu"].early == pytest.approx(early, abs=1e-4)
    assert found["s1", "cpu"].whole > 1.5


def test_what_comes_now_and_then_or_never_lasts_is_no_surge_and_idlers_do_not_surge_by_waking_up() -> None:
    values = np.ones((4, 240))
    values[0, [*range(20, 30), *range(60, 70), *range(100, 110), *range(215, 225)]] = 9
    values[1] = 1e-6
    values[1, 205:] = 1e-3
    values[2, 205:208] = 50
    found = surges([panel(values)], after(1000), after(1200))
    assert found["s0", "cpu"].whole == 0
    assert found["s1", "cpu"].whole < 0.05
    assert found["s2", "cpu"].whole == 0


def system(cause: str) -> np.ndarray:
    """A second by second record ``[service, time, role]`` of services, with a fault and a reaction 80 s later."""
    rng = np.random.default_rng(4)
    values = np.exp(rng.normal(0, 0.1, (SERVICES, END_S, len(ROLES)))) * (0.2, 300, 20, 4)
    values[:, :, 1] = 300 * np.exp(rng.normal(0, 0.004, (SERVICES, END_S)))
    role = {"cpu": 0, "memory": 1, "network": 2, "disk": 3}[cause]
    values[CULPRIT, FAULT_S:, role] *= 2.2 if cause == "memory" else 25
    if cause != "memory":
        values[CULPRIT, FAULT_S:, 2] *= 4
        values[0, FAULT_S:, 2] *= 3
        values[CULPRIT, FAULT_S + 80 :, 1] *= 2
    return values.astype(np.float32)


@cache
def diagnoser() -> Diagnoser:
    """By the weights that ship."""
    return Diagnoser(Knowledge.load())


def told(  # noqa: PLR0913 - one for each change that the answer has to stand
    values: np.ndarray,
    *,
    late_s: float = 0,
    interval_s: int = 1,
    names: tuple[str, ...] = (),
    metrics: tuple[Metric, ...] = (),
    healthy: bool = False,
) -> tuple[Cause, ...]:
    """Causes, best first."""
    names = names or tuple(f"s{row}" for row in range(len(values)))
    entities = tuple(Entity(id=name) for name in names)
    metrics = metrics or tuple(Metric(name=role.value, role=role) for role in ROLES)
    whole = Panel(values, START, 1, entities, metrics).coarsen(interval_s)
    start, end = (after(400), after(600)) if healthy else (after(FAULT_S + late_s), after(END_S))
    window = IncidentWindow(id="i", start=start, end=end, entities=names)
    return diagnoser().diagnose(window, [whole.between(START, end)], Topology.of(entities)).causes


@pytest.mark.parametrize("cause", ["cpu", "memory", "network", "disk"])
def test_the_answer_stands_an_early_or_late_start_and_other_intervals(cause: str) -> None:
    values = system(cause)
    for late_s, interval_s in ((0, 1), (-120, 1), (60, 1), (120, 5), (-60, 5), (0, 15), (60, 15), (0, 60), (60, 60)):
        top = told(values, late_s=late_s, interval_s=interval_s)[0]
        assert (top.entity, top.id) == (f"s{CULPRIT}", cause), (late_s, interval_s)


@pytest.mark.parametrize("cause", ["cpu", "memory", "network", "disk"])
def test_the_answer_stands_other_units_names_order_and_company(cause: str) -> None:
    values = system(cause)
    plain = told(values, interval_s=5)[0]
    scaled = told(values * np.array([1000, 1e-3, 60, 8], np.float32), interval_s=5)[0]
    assert (scaled.entity, scaled.id) == (plain.entity, cause)
    assert scaled.probability == pytest.approx(plain.probability, abs=1e-3)
    order = [5, 3, 0, 4, 2, 1]
    turned = told(values[order], interval_s=5, names=tuple(f"x{row}" for row in order))[0]
    assert (turned.entity, turned.id) == (f"x{CULPRIT}", cause)
    assert turned.probability == pytest.approx(plain.probability, abs=1e-3)
    idle = np.concatenate([values, np.zeros((9, *values.shape[1:]), np.float32)])
    accompanied = told(idle, interval_s=5)[0]
    assert (accompanied.entity, accompanied.id) == (plain.entity, cause)
    assert accompanied.probability == pytest.approx(plain.probability, abs=0.02)
    twice = tuple(Metric(name=f"{role.value}_{k}", role=role) for k in (0, 1) for role in ROLES)
    doubled = told(np.concatenate([values, values], axis=2), interval_s=5, metrics=twice)[0]
    assert (doubled.entity, doubled.id) == (plain.entity, cause)
    assert doubled.probability == pytest.approx(plain.probability, abs=1e-3)


def test_a_healthy_span_has_no_cause() -> None:
    for interval_s in (1, 5, 15):
        assert told(system("cpu"), interval_s=interval_s, healthy=True)[0].id == UNKNOWN


def test_a_weaker_fault_ends_in_unknown_and_never_in_another_cause() -> None:
    values = system("cpu")
    values[CULPRIT, FAULT_S:] /= np.array([25, 2, 4, 1], np.float32)
    values[0, FAULT_S:, 2] /= 3
    answers = []
    for factor in (30, 10, 4, 2, 1.3, 1):
        weaker = values.copy()
        weaker[CULPRIT, FAULT_S:, 0] *= factor
        weaker[CULPRIT, FAULT_S:, 2] *= 1 + factor / 8
        answers.append(told(weaker, interval_s=5)[0])
    assert answers[0].id == "cpu"
    assert answers[-1].id == UNKNOWN
    assert {cause.id for cause in answers} == {"cpu", UNKNOWN}
