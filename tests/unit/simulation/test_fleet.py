"""The simulated fleet: seeded, physical, and each fault moves what it should."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.domain.errors import SettingsError
from brownout.domain.panel import Panel
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.simulation_definitions import SimulationDefinitions

QUIET = FleetSettings(hosts=3, vms=12, days=6, interval_s=120, seed=3)


def column(panel: Panel, metric: str) -> np.ndarray:
    return panel.values[..., panel.metric_names.index(metric)]


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not() -> None:
    one, two = simulate(replace(QUIET, faults=3)), simulate(replace(QUIET, faults=3))
    assert one.incidents == two.incidents
    for kind, panel in one.panels.items():
        assert panel.values.tobytes() == two.panels[kind].values.tobytes()
    other = simulate(replace(QUIET, faults=3, seed=4))
    assert other.panels["vm"].values.tobytes() != one.panels["vm"].values.tobytes()


def test_every_value_is_in_its_valid_range() -> None:
    for panel in simulate(replace(QUIET, faults=6)).panels.values():
        for place, metric in enumerate(panel.metrics):
            values = panel.values[..., place]
            seen = values[np.isfinite(values)]
            assert seen.size, metric.name
            assert seen.min() >= metric.lower, metric.name
            assert seen.max() <= metric.upper, metric.name


def test_a_quiet_fleet_is_healthy_and_has_no_labels() -> None:
    fleet = simulate(QUIET)
    assert fleet.incidents == ()
    assert fleet.anomalies == ()
    consoles, guests = fleet.panels["console"], fleet.panels["vm"]
    assert 5 < np.nanmedian(column(consoles, "console_update_ms")) < 60
    assert np.nanmedian(column(guests, "vm_ready_pct")) < 2.5


def test_load_follows_the_working_day() -> None:
    panel = simulate(QUIET).panels["host"]
    busy = np.nanmean(column(panel, "host_cpu_busy_pct"), axis=0)
    hour = panel.times.astype("datetime64[h]").astype(int) % 24
    workday = panel.times.astype("datetime64[D]").astype(int) % 7 != 2  # 1970-01-03 was a Saturday
    assert busy[(hour == 11) & workday].mean() > 1.3 * busy[hour == 3].mean()


def test_waiting_grows_faster_than_load_near_saturation() -> None:
    fleet = simulate(replace(QUIET, faults=4, only_causes=("HW-01",), days=8))
    host = fleet.panels["host"]
    busy = column(host, "host_cpu_busy_pct").ravel()
    waiting = column(host, "host_psi_cpu_pct").ravel()
    bins = [np.nanmean(waiting[(busy > low) & (busy <= low + 10)]) for low in (30, 50, 70)]
    top = np.nanmean(waiting[busy > 93])
    assert bins[0] < bins[1] < bins[2] < top
    assert top - bins[2] > 2 * (bins[2] - bins[1])


SIGNS = {
    "HW-01": ("host", "host_cpu_busy_pct", 1),
    "CONT-01": ("vm", "vm_cpu_pct", 1),
    "VIRT-04": ("vm", "vm_ready_pct", 1),
    "CONT-04": ("host", "host_memory_available_pct", -1),
    "VIRT-19": ("vm", "vm_balloon_ratio", -1),
    "LEAK-01": ("vm", "vm_memory_usable_pct", -1),
    "HW-05": ("disk", "disk_util_pct", 1),
    "CONT-02": ("vm", "vm_disk_iops", 1),
    "MAINT-02": ("disk", "disk_await_ms", 1),
    "MAINT-04": ("path", "disk_used_pct", 1),
    "NET-01": ("console", "console_connect_ms", 1),
    "NET-02": ("interface", "net_util_pct", 1),
    "NET-03": ("link", "link_loss_pct", 1),
    "HW-06": ("console", "console_worker_pct", 1),
    "PWR-01": ("host", "host_freq_ratio", -1),
}


def test_plain_faults_are_drawn_where_no_signatures_are_measured() -> None:
    assert set(SIGNS) <= set(SimulationDefinitions.load().plain)
    fleet = simulate(replace(QUIET, days=20, hosts=6, faults=20))
    assert {incident.cause for incident in fleet.incidents} <= set(SimulationDefinitions.load().plain)


@pytest.mark.parametrize("cause", sorted(SIGNS))
def test_a_fault_moves_its_metric_at_its_place_and_time(cause: str) -> None:
    fleet = simulate(replace(QUIET, days=10, faults=1, only_causes=(cause,)))
    incident = fleet.incidents[0]
    assert incident.cause == cause
    kind, metric, sign = SIGNS[cause]
    panel = fleet.panels[kind]
    topology = fleet.topology
    guest = topology[incident.entity].kind == "vm"
    below = topology.descendants(incident.entity) if guest else topology.related(incident.entity)
    near = set(below) if kind == "console" else {incident.entity}
    rows = [i for i, name in enumerate(panel.entity_ids) if name in near]
    values = column(panel, metric)[rows]
    first, last = panel.slot(incident.start), panel.slot(incident.end)
    day = 86_400 // panel.interval_s
    within = np.nanmedian(values[:, first + (last - first) // 2 : last])
    before = np.nanmedian(values[:, max(first - day, 0) : max(first - day // 8, 1)])
    assert sign * (within - before) > 0.05 * abs(before) + 1e-3, (within, before)


def test_through_a_path_that_is_gone_nothing_is_measured_but_what_the_host_says_itself() -> None:
    fleet = simulate(replace(QUIET, faults=1, only_causes=("NET-12",), signatures=True))
    incident = fleet.incidents[0]
    links, consoles = fleet.panels["link"], fleet.panels["console"]
    host = fleet.topology[incident.entity].parent
    span = slice(links.slot(incident.start), links.slot(incident.end))
    own = links.entity_ids.index(incident.entity)
    gone = column(links, "link_unreachable_pct")
    assert np.nanmin(gone[own, span]) == 100
    assert np.nanmax(np.delete(gone[own], span)) == 0
    assert np.isnan(column(links, "link_rtt_ms")[own, span]).all()
    behind = [
        row for row, name in enumerate(consoles.entity_ids) if fleet.topology.root(fleet.topology[name].parent) == host
    ]
    assert np.isnan(column(consoles, "console_update_ms")[behind, span]).all()
    assert np.nanmin(column(consoles, "console_failed_pct")[behind, span]) > 50
    assert np.isfinite(column(fleet.panels["host"], "host_cpu_busy_pct")[:, span]).mean() > 0.9


def test_the_mix_of_earlier_seeds_has_no_fault_that_is_drawn_by_name_only() -> None:
    faults = SimulationDefinitions.load().faults
    assert {name for name, fault in faults.items() if fault.weight == 0} == {"NET-12"}
    assert "NET-12" not in {one.cause for one in simulate(replace(QUIET, faults=12, signatures=True)).incidents}


def test_ongoing_faults_still_grow_at_the_end() -> None:
    fleet = simulate(replace(QUIET, days=8, ongoing=2, only_causes=("LEAK-01",)))
    assert all(incident.end == fleet.panels["vm"].end for incident in fleet.incidents)


@pytest.mark.parametrize(
    ("telemetry", "kinds"),
    [
        ("host-only", {"host", "disk", "path", "interface"}),
        ("no-probe", {"host", "disk", "path", "interface", "vm"}),
    ],
)
def test_telemetry_can_be_less_than_full(telemetry: str, kinds: set[str]) -> None:
    fleet = simulate(replace(QUIET, telemetry=telemetry))  # type: ignore[arg-type]
    assert set(fleet.panels) == kinds
    assert {entity.kind for entity in fleet.topology} == kinds


def test_causes_can_be_excluded() -> None:
    fleet = simulate(replace(QUIET, days=14, faults=6, exclude_causes=("LEAK-01", "CONT-01")))
    assert not {i.cause for i in fleet.incidents} & {"LEAK-01", "CONT-01"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": 0},
        {"pairs": 1.5},
        {"days": 0.001},
        {"faults": -1},
        {"only_causes": ("NOPE",), "faults": 1},
        {"faults": 500},
    ],
)
def test_a_fleet_that_cannot_be_is_refused_with_a_remedy(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as caught:
        simulate(replace(QUIET, **wrong))  # type: ignore[arg-type]
    assert caught.value.remedy


def test_incidents_that_meet_are_independent_and_both_labelled() -> None:
    fleet = simulate(replace(QUIET, days=10, hosts=4, faults=5, pairs=1.0))
    assert len(fleet.incidents) > 5
    met = [
        (one, other)
        for one in fleet.incidents
        for other in fleet.incidents
        if one.id < other.id and one.group == other.group and one.start < other.end and other.start < one.end
    ]
    assert len(met) == len(fleet.incidents) - 5
    for one, other in met:
        assert one.cause != other.cause
        both = min(one.end, other.end) - max(one.start, other.start)
        assert both >= min(one.end - one.start, other.end - other.start) / 2
    alone = simulate(replace(QUIET, days=10, hosts=4, faults=5))
    assert len(alone.incidents) == 5
