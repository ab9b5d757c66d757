"""Faults, drivers and measurements as data: each name means something, and formulas give what they say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brownout.domain.errors import KnowledgeError
from brownout.simulation import FleetSettings, SimulationDefinitions, simulate
from brownout.simulation.events.fault_definitions import Push, Template
from brownout.simulation.fleet import Fleet, plan_fleet
from brownout.simulation.measured_state import MeasuredState
from brownout.simulation.measurement_formulas import Formula, Queue, Term, evaluate
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers

DEFINITIONS = SimulationDefinitions.load()
SMALL = FleetSettings(hosts=1, vms=2, days=1, interval_s=900, seed=5, signatures=True)


def pushed(driver: str) -> Fleet:
    """A fleet in which one driver, and nothing else, is pushed over a third of the day."""
    table = DEFINITIONS.drivers[driver]
    push = (
        Push(driver=driver, low=0.4, high=0.4, multiply=True) if table.neutral else Push(driver=driver, low=1, high=1)
    )
    scope: Any = "vm" if table.on == "guest" else "host"
    fault = Template(scope=scope, seen="host", pushes=(push,), shapes=("step",), minutes=(480, 481), weight=1)
    definitions = replace(DEFINITIONS, faults={"HW-01": fault}, plain=("HW-01",))
    return simulate(replace(SMALL, faults=1), definitions)


NOWHERE = {"host_clock_ahead_s"}
"""Drivers that move nothing by a push of 1: a second is less than a slot."""


@pytest.mark.parametrize("driver", sorted(set(DEFINITIONS.drivers) - NOWHERE))
def test_every_driver_moves_a_measurement(driver: str) -> None:
    healthy, moved = simulate(SMALL), pushed(driver)
    changed = [
        not np.array_equal(panel.values, moved.panels[kind].values, equal_nan=True)
        for kind, panel in healthy.panels.items()
    ]
    assert any(changed), f"nothing reads the driver {driver}"


DRIVER = '[drivers.host_fans]\non = "{on}"\nneutral = {neutral}\nsays = "fans that failed"\n'
FAULT = """
[faults.{cause}]
scope = "{scope}"
seen = "host"
shapes = ["{shape}"]
minutes = [30, 60]
weight = 1
pushes = [["{driver}", 1, 2]]
"""


def fault(*, cause: str = "HW-01", scope: str = "host", shape: str = "step", driver: str = "clock") -> str:
    return FAULT.format(cause=cause, scope=scope, shape=shape, driver=driver)


@pytest.mark.parametrize(
    ("file", "text", "named", "near"),
    [
        ("faults.toml", fault(driver="host_stal_ms"), "faults.HW-01 host_stal_ms", "host_stall_ms"),
        ("faults.toml", fault(driver="all_clock"), "faults.HW-01 all_clock", "lock"),
        ("faults.toml", fault(cause="HW-99"), "faults.HW-99", "HW-0"),
        ("faults.toml", fault(scope="hots"), "faults.HW-01 hots", "host"),
        ("faults.toml", fault(shape="stp"), "faults.HW-01 stp", "step"),
        ("faults.toml", '[faults.HW-01]\npushes = [["rtt", 1, 2, "times"]]\n', "faults.HW-01 rtt", "times"),
        ("faults.toml", '[faults.HW-01]\npushes = [["rtt", "a", 2]]\n', "faults.HW-01 rtt", "numbers"),
        ("faults.toml", "[plain]\nHW-99 = true\n", "plain.HW-99", "HW-0"),
        ("drivers.toml", DRIVER.format(on="hots", neutral=0), "drivers.host_fans hots", "host"),
        ("drivers.toml", DRIVER.format(on="host", neutral=2), "drivers.host_fans neutral", "0"),
        ("measurements.toml", '[measurements.vm_ip]\nkind = "vm"\n', "measurements.vm_ip", "vm_ipc"),
        ("measurements.toml", '[measurements.vm_ipc]\nkind = "guest"\n', "measurements.vm_ipc guest", "vm"),
        (
            "measurements.toml",
            '[measurements.vm_ipc]\ntimes = ["guest_ip"]\n',
            "measurements.vm_ipc guest_ip",
            "guest_ipc",
        ),
        (
            "measurements.toml",
            '[measurements.vm_uptime_h]\nmodel = "gest_uptime"\n',
            "vm_uptime_h gest_uptime",
            "guest_uptime",
        ),
        (
            "measurements.toml",
            '[measurements.host_rt_cpu_pct]\nterms = [["guests.ready", 1]]\n',
            "host_rt_cpu_pct guests.ready",
            "hosts.ready",
        ),
    ],
)
def test_an_unknown_name_is_an_error_that_says_where_and_what_is_near(
    file: str, text: str, named: str, near: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(KnowledgeError) as caught:
        SimulationDefinitions.load(tmp_path)
    assert all(part in caught.value.what for part in (file, *named.split()))
    assert near in caught.value.remedy


def state(slots: int = 8) -> MeasuredState:
    """Two hosts whose links are used by a tenth and by a half, and a guest on each."""
    layout = plan_fleet(FleetSettings(hosts=2, vms=2, days=1, interval_s=900, seed=1), DEFINITIONS).layout
    use = np.repeat(np.array([[0.1], [0.5]]), slots, axis=1)
    nothing: Any = None
    hosts: Any = type("OnlyLinks", (), {"link_use": use})
    return MeasuredState(
        settings=SMALL,
        layout=layout,
        drivers=Drivers.healthy(layout, slots, DEFINITIONS.drivers),
        demand=nothing,
        hosts=hosts,
        guests=nothing,
        consoles=nothing,
        rng=Draws(np.random.SeedSequence(0)),
    )


def measured(formula: Formula, at: MeasuredState) -> np.ndarray:
    return evaluate([formula], at)[formula.kind][formula.metric]


def test_a_formula_adds_its_terms_and_multiplies_its_factors() -> None:
    at = state()
    at.drivers.target("host_dirty", at.layout)[1] = 3
    at.drivers.target("net_speed", at.layout)[:] = 0.5
    terms = (Term(source="hosts.link_use", factor=10), Term(source="host_dirty", factor=2, on=True))
    formula = Formula(metric="m", kind="host", level=1.0, terms=terms, times=("net_speed",))
    np.testing.assert_allclose(measured(formula, at)[:, 0], [(1 + 1) * 0.5, (1 + 5 + 2) * 0.5])
    clipped = replace(formula, least=1.5, most=3)
    np.testing.assert_allclose(measured(clipped, at)[:, 0], [1.5, 3])


def test_a_formula_of_guests_feels_their_hosts() -> None:
    at = state()
    formula = Formula(metric="m", kind="vm", terms=(Term(source="hosts.link_use", factor=1),))
    np.testing.assert_allclose(measured(formula, at)[:, 0], np.array([0.1, 0.5])[at.layout.host])


def test_a_queue_answers_as_its_closed_form() -> None:
    """One server: service / (1 - use)."""
    queue = Queue(servers=1, service=4.0, use="hosts.link_use")
    formula = Formula(metric="m", kind="interface", level=2.0, queue=queue)
    np.testing.assert_allclose(measured(formula, state())[:, 0], [2 + 4 / 0.9, 2 + 4 / 0.5], rtol=1e-6)


def test_noise_is_relative_and_counts_are_whole() -> None:
    at = state(slots=4000)
    noisy = measured(Formula(metric="m", kind="host", level=10.0, noise=0.2), at)
    assert np.log(noisy / 10).std() == pytest.approx(0.2, rel=0.05)
    whole = measured(Formula(metric="m", kind="host", level=3.7, noise=0.2, whole=True), at)
    assert (whole == np.floor(whole)).all()
    own = measured(Formula(metric="m", kind="host", own=(2.0, 9.0)), at)
    assert (own == own[:, :1]).all()
    assert own[0, 0] != own[1, 0]
    assert 2 <= own.min() <= own.max() <= 9


def test_a_site_adds_a_metric_a_driver_and_a_fault_that_moves_it(tmp_path: Path) -> None:
    """Nothing but three files: what is new is measured, and the fault shows in it."""
    (tmp_path / "catalogue.toml").write_text('[metrics.host_fans_down]\ntitle = "Fans down"\nentity_kinds = ["host"]\n')
    (tmp_path / "drivers.toml").write_text(DRIVER.format(on="host", neutral=0))
    (tmp_path / "measurements.toml").write_text(
        '[measurements.host_fans_down]\nkind = "host"\nterms = [["host_fans", 1]]\nalways = true\n'
    )
    (tmp_path / "causes.toml").write_text(
        '[causes.SITE-01]\ntitle = "Fans"\nfamily = "other"\nkind = "host"\nprior = 1\n'
        'evidence = [{ symptom = "clock_off", where = "self", role = "necessary" },'
        ' { symptom = "clock_low", where = "self", role = "strong" }]\n'
    )
    (tmp_path / "faults.toml").write_text(fault(cause="SITE-01", driver="host_fans"))
    fleet = simulate(
        replace(SMALL, faults=1, only_causes=("SITE-01",), signatures=False), SimulationDefinitions.load(tmp_path)
    )
    panel, incident = fleet.panels["host"], fleet.incidents[0]
    values = panel.values[0, :, panel.metric_names.index("host_fans_down")]
    within = panel.between(incident.start, incident.end).values[0, :, panel.metric_names.index("host_fans_down")]
    assert np.nanmin(within) >= 1
    assert np.nansum(values) == np.nansum(within)
