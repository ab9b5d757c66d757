"""What-if against closed forms and against a simulator that does it."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import SettingsError
from brownout.domain.panel import Panel
from brownout.planning.what_if import (
    GuestMove,
    GuestResize,
    HostedLoads,
    changed_loads,
    console_effects,
    read_moves,
    read_resizes,
)
from brownout.planning.what_if.console_effects import LatencyHistory
from brownout.planning.what_if.console_model import ConsoleModel, moments_of, waits
from brownout.simulation import FleetSettings
from brownout.simulation.events.interventions import Intervention
from brownout.simulation.fleet import plan_fleet, run_plan, simulate

SLOTS, PER_DAY = 480, 48


def topology() -> Topology:
    sizes = {"cores": "8", "memory_gib": "64"}
    return Topology.of(
        [
            *(Entity(id=host, kind="host", labels=sizes) for host in ("kvm1", "kvm2")),
            *(
                Entity(
                    id=f"id-{n}", kind="vm", parent="kvm1",
                    labels={"vcpus": "4", "memory_gib": "8", "domain_name": f"vm{n}"},
                )
                for n in (1, 2)
            ),
        ]
    )  # fmt: skip


def loads(busy: float = 60.0) -> HostedLoads:
    """Two hosts of 8 CPUs and 64 GiB; two guests of 4 vCPUs and 8 GiB on the first, each half busy."""
    hosts, guests = np.full((2, SLOTS), busy), np.full((2, SLOTS), 50.0)
    return HostedLoads(
        hosts=("kvm1", "kvm2"), guests=("id-1", "id-2"), at=np.array([0, 0]),
        cores=np.full(2, 8.0), memory_gib=np.full(2, 64.0), servers=np.full(2, 8),
        busy=hosts, available=np.full((2, SLOTS), 50.0), disk_util=np.full((2, SLOTS), 20.0),
        disk_await=np.full((2, SLOTS), 2.0), network=np.stack([np.full(SLOTS, 1.0), np.full(SLOTS, 6.0)]),
        vcpus=np.full(2, 4.0), guest_memory_gib=np.full(2, 8.0), cpu=guests, usable=guests, iops=guests,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["vm1"], "vm1"),
        (["vm1:"], "cannot be read"),
        (["vm9:kvm2"], "vm9"),
        (["vm1:kvm9"], "kvm9"),
        (["vm1:kvm1"], "already"),
        (["vm1:kvm2", "id-1:kvm2"], "twice"),
    ],
)
def test_moves_that_cannot_be_meant_are_refused(texts: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_moves(texts, topology())


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["vm1:8G"], "cannot be read"),
        (["vm1:disk=8G"], "cannot be read"),
        (["vm1:memory=none"], "none"),
        (["vm1:memory=0G"], "0G"),
        (["vm1:memory=128G"], "64 GiB"),
        (["vm1:vcpus=0"], "'0'"),
        (["vm1:vcpus=2.5"], "2.5"),
        (["vm1:vcpus=9"], "8 CPUs"),
        (["vm9:vcpus=2"], "vm9"),
    ],
)
def test_sizes_that_no_guest_can_have_are_refused(texts: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_resizes(texts, topology())


def test_guests_are_known_by_name_or_id_and_memory_by_its_unit() -> None:
    assert read_moves(["vm1:kvm2"], topology()) == read_moves(["id-1:kvm2"], topology())
    found = read_resizes(["vm1:memory=512M,vcpus=2", "id-2:memory=8GiB"], topology())
    assert found[0] == GuestResize(guest="id-1", vcpus=2, memory_gib=0.5)
    assert found[1] == GuestResize(guest="id-2", memory_gib=8.0)


def test_two_guests_of_one_name_must_be_told_apart() -> None:
    twins = Topology.of([*topology(), Entity(id="id-3", kind="vm", parent="kvm2", labels={"domain_name": "vm1"})])
    with pytest.raises(SettingsError, match="id-1, id-3"):
        read_moves(["vm1:kvm2"], twins)


def test_a_move_takes_the_work_and_the_memory_with_it() -> None:
    after = changed_loads(loads(), [GuestMove(guest="id-1", host="kvm2")], [])
    # 4 vCPUs half busy are 2 of 8 CPUs; 8 of 64 GiB.
    np.testing.assert_allclose(after.busy[:, 0], [60 - 25, 60 + 25])
    np.testing.assert_allclose(after.available[:, 0], [50 + 12.5, 50 - 12.5])
    assert after.at.tolist() == [1, 0]
    # Two guests with 50 requests a second each make the first disk 20 % busy; the second is not known to do any.
    np.testing.assert_allclose(after.disk_util[:, 0], [10, 20])


def test_there_and_back_again_changes_nothing() -> None:
    there = changed_loads(loads(), [GuestMove(guest="id-1", host="kvm2")], [])
    back = changed_loads(there, [GuestMove(guest="id-1", host="kvm1")], [])
    for field in ("at", "busy", "available"):
        np.testing.assert_allclose(getattr(back, field), getattr(loads(), field))


def test_a_guest_wants_the_same_whatever_its_size() -> None:
    half = changed_loads(loads(), [], [GuestResize(guest="id-1", vcpus=2, memory_gib=16)])
    assert half.cpu[0, 0] == pytest.approx(100)
    assert half.busy[0, 0] == pytest.approx(60)
    assert half.usable[0, 0] == pytest.approx(75)  # half of 8 GiB in use is a quarter of 16
    quarter = changed_loads(loads(), [], [GuestResize(guest="id-1", vcpus=1)])
    assert quarter.busy[0, 0] == pytest.approx(60 - 12.5)  # one of its two CPUs' worth of work is not done


def test_the_coefficients_of_a_console_made_by_the_formula_are_found_again() -> None:
    rng = np.random.default_rng(3)
    varied = replace(
        loads(), busy=rng.uniform(10, 97, (2, SLOTS)), cpu=rng.uniform(5, 90, (2, SLOTS)),
        disk_await=rng.uniform(1, 30, (2, SLOTS)), available=rng.uniform(2, 60, (2, SLOTS)),
        usable=rng.uniform(1, 60, (2, SLOTS)),
    )  # fmt: skip
    x, true = waits(varied, 2), np.array([[20, 3, 9, 0.4, 90, 5, 60], [40, 1, 4, 0.1, 200, 2, 30]], float)
    y = np.einsum("gtw,gw->gt", x, true)
    days = np.arange(SLOTS) // PER_DAY
    found = ConsoleModel.fit(moments_of(x, y, days), np.arange(10)).coefficients
    np.testing.assert_allclose(found, true, rtol=0.35, atol=0.6)  # pulled together by a tenth


def test_a_longer_way_is_felt_in_full_and_nothing_else_where_nobody_waits() -> None:
    rng = np.random.default_rng(4)
    latency = 30 + rng.normal(0, 1, (2, SLOTS))
    history = LatencyHistory(
        latency=latency, connect=np.full((2, SLOTS), 1.0), days=np.arange(SLOTS) // PER_DAY,
        lately=np.arange(SLOTS) >= 3 * PER_DAY, of_guest=False,
    )  # fmt: skip
    before = loads(busy=5.0)
    after = changed_loads(before, [GuestMove(guest="id-1", host="kvm2")], [])
    told = console_effects(history, before, after, {"vm1": [0], "others": [1]})
    for effect in told["vm1"]:
        assert effect.after - effect.before == pytest.approx(5, abs=0.2)
        assert effect.low < effect.after < effect.high
    for effect in told["others"]:
        assert effect.after == pytest.approx(effect.before, abs=0.05)


def test_no_change_has_no_effect_and_an_unmeasured_console_none_that_is_told() -> None:
    history = LatencyHistory(
        latency=np.stack([np.full(SLOTS, 30.0), np.full(SLOTS, np.nan)]), connect=np.ones((2, SLOTS)),
        days=np.arange(SLOTS) // PER_DAY, lately=np.ones(SLOTS, bool), of_guest=True,
    )  # fmt: skip
    told = console_effects(history, loads(), loads(), {"vm1": [0], "vm2": [1]})
    assert set(told) == {"vm1"}
    assert all(effect.after == pytest.approx(effect.before) for effect in told["vm1"])


SETTINGS = FleetSettings(hosts=2, vms=8, days=6, interval_s=600, seed=12)


def test_an_intervention_changes_nothing_before_its_moment() -> None:
    plan, fleet = plan_fleet(SETTINGS), simulate(SETTINGS)
    vm = 0
    changed = run_plan(plan.intervened(Intervention(vm=vm, slot=400, target=1 - int(plan.layout.host[vm]), vcpus=4)))
    for kind, panel in fleet.panels.items():
        np.testing.assert_array_equal(changed.panels[kind].values[:, :400], panel.values[:, :400])
    assert not np.array_equal(changed.panels["host"].values[:, 400:], fleet.panels["host"].values[:, 400:])


def test_a_moved_guest_takes_its_work_along_in_the_simulator() -> None:
    plan, fleet = plan_fleet(SETTINGS), simulate(SETTINGS)
    source = int(plan.layout.host[0])
    moved = run_plan(plan.intervened(Intervention(vm=0, slot=400, target=1 - source)))
    busy = fleet.panels["host"].metric_names.index("host_cpu_busy_pct")
    change = np.nanmean((moved.panels["host"].values - fleet.panels["host"].values)[:, 400:, busy], axis=1)
    assert change[source] < 0 < change[1 - source]


def test_an_intervention_to_nowhere_is_refused() -> None:
    with pytest.raises(SettingsError, match="host 7"):
        plan_fleet(SETTINGS).intervened(Intervention(vm=0, slot=10, target=7))


def panels_until(panels: dict[str, Panel], days: float) -> list[Panel]:
    return [
        panel.between(panel.start, panel.start + np.timedelta64(round(days * 86_400_000), "ms"))
        for panel in panels.values()
    ]


def test_loads_of_a_fleet_add_up_to_what_its_hosts_are_busy_with() -> None:
    plan, fleet = plan_fleet(SETTINGS), simulate(SETTINGS)
    found = HostedLoads.of(plan.layout.host_names, panels_until(fleet.panels, 6), fleet.topology)
    used = np.array([(found.cpu * found.vcpus[:, None] / 100)[found.at == host].sum(axis=0) for host in (0, 1)])
    share = 100 * used / found.cores[:, None]
    # 3 % of a host is its own, and guests that wait use less than they want.
    assert np.abs(np.nanmedian(found.busy - share, axis=1) - 3).max() < 1.5
