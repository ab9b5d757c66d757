"""What any fleet that could be real fulfils, whatever the seed; and that labels show in measurements only."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.panel import Panel
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet import PART, Fleet, plan_fleet, stream
from brownout.simulation.fleet_dataset import stream_dataset, write_dataset
from brownout.simulation.layout.fleet_layout import MEDIA
from brownout.simulation.simulation_definitions import SimulationDefinitions

DEFINITIONS = SimulationDefinitions.load()
SETTINGS = FleetSettings(hosts=3, vms=18, days=9, interval_s=300, seed=8, faults=10, signatures=True)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return simulate(SETTINGS)


def column(fleet: Fleet, kind: str, metric: str) -> np.ndarray:
    panel = fleet.panels[kind]
    return panel.values[..., panel.metric_names.index(metric)].astype(float)


def hosts_of(fleet: Fleet, panel: Panel) -> np.ndarray:
    order = {entity.id: row for row, entity in enumerate(fleet.panels["host"].entities)}
    return np.array([order[fleet.topology.root(entity.id)] for entity in panel.entities])


def test_shares_of_a_cpu_fit_into_it(fleet: Fleet) -> None:
    assert np.nanmax(column(fleet, "host", "host_cpu_busy_pct") + column(fleet, "host", "host_cpu_iowait_pct")) <= 100.5


def test_guests_use_no_more_than_their_host_is_busy(fleet: Fleet) -> None:
    on = hosts_of(fleet, fleet.panels["vm"])
    cores = np.array([float(host.labels["cores"]) for host in fleet.panels["host"].entities])
    vcpus = np.array([float(guest.labels["vcpus"]) for guest in fleet.panels["vm"].entities])
    used = np.zeros((len(cores), fleet.panels["vm"].values.shape[1]))
    np.add.at(used, on, np.nan_to_num(column(fleet, "vm", "vm_cpu_pct")) * vcpus[:, None] / 100)
    blocked = column(fleet, "host", "host_cpu_iowait_pct") > 2
    spent = column(fleet, "host", "host_cpu_busy_pct") / 100 * cores[:, None]
    slack = (used - spent)[np.isfinite(spent) & ~blocked] / np.repeat(
        cores, (np.isfinite(spent) & ~blocked).sum(axis=1)
    )
    assert np.quantile(slack, 0.99) < 0.05


def test_a_guest_runs_or_waits_for_no_longer_than_there_is_time(fleet: Fleet) -> None:
    assert np.nanmax(column(fleet, "vm", "vm_cpu_pct")) <= 105
    assert np.nanmax(column(fleet, "vm", "vm_ready_pct")) <= 105


def test_a_disk_queue_is_its_requests_times_their_latency(fleet: Fleet) -> None:
    traffic = column(fleet, "disk", "disk_read_kbs") + column(fleet, "disk", "disk_write_kbs")
    queue, await_ms = column(fleet, "disk", "disk_queue"), column(fleet, "disk", "disk_await_ms")
    ratio = queue * 1000 / await_ms / traffic
    assert np.nanmax(np.abs(np.log(ratio / np.nanmedian(ratio)))) < 0.6
    assert np.nanmax(column(fleet, "disk", "disk_util_pct")) <= 100


def test_no_link_carries_more_than_its_speed(fleet: Fleet) -> None:
    speed = column(fleet, "interface", "net_speed_mbits") / 8.192e-3
    for metric in ("net_rx_kbs", "net_tx_kbs"):
        assert np.nanmax(column(fleet, "interface", metric) / speed) <= 1.01


def test_guests_send_no_more_than_the_uplink_of_their_host_carries(fleet: Fleet) -> None:
    """Over an hour: guests and uplinks are read at different moments of an interval."""
    on = hosts_of(fleet, fleet.panels["vm"])
    for ours, uplink in (("vm_net_rx_kbs", "net_rx_kbs"), ("vm_net_tx_kbs", "net_tx_kbs")):
        carried = column(fleet, "interface", uplink)
        sent = np.zeros_like(carried)
        np.add.at(sent, on, np.nan_to_num(column(fleet, "vm", ours)))
        hours = [
            np.nanmean(np.where(np.isfinite(carried), part, np.nan).reshape(3, -1, 12), axis=2)
            for part in (sent, carried)
        ]
        assert np.nanquantile(hours[0] / hours[1], 0.99) <= 1.1, ours


def test_uptimes_fall_only_where_something_restarted(fleet: Fleet) -> None:
    """Counters become rates at the edge; what is left of them in a data set are uptimes."""
    uptime = column(fleet, "vm", "vm_uptime_h")
    fell = {fleet.panels["vm"].entity_ids[row] for row in np.flatnonzero((np.diff(uptime) < 0).any(axis=1)).tolist()}
    restarted = {i.entity for i in fleet.incidents if DEFINITIONS.faults[i.cause].restart}
    assert fell <= restarted
    assert restarted


def test_memory_is_swapped_only_when_it_is_short(fleet: Fleet) -> None:
    swap, available = column(fleet, "host", "host_swap_kbs"), column(fleet, "host", "host_memory_available_pct")
    # Pages that went out come back when they are touched: up to some hours after memory was short.
    lately = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(available, nan=100), 60, axis=1).min(axis=2)
    assert np.nanmax(np.where(lately > 20, swap[:, 59:], 0)) == 0
    assert np.nanmax(swap) > 0
    guest, usable = column(fleet, "vm", "vm_swap_kbs"), column(fleet, "vm", "vm_memory_usable_pct")
    assert np.nanmax(np.where(usable > 12, guest, 0)) == 0


def test_stages_of_a_console_follow_each_other(fleet: Fleet) -> None:
    connect, update = column(fleet, "console", "console_connect_ms"), column(fleet, "console", "console_update_ms")
    echo = column(fleet, "console", "console_echo_ms")
    rtt = column(fleet, "link", "link_rtt_ms")[hosts_of(fleet, fleet.panels["console"])]
    assert np.nanmin(column(fleet, "console", "console_mainloop_ms")) >= 0
    assert np.nanmean(connect > 0.6 * rtt) > 0.98
    assert np.nanmean(update > 0.6 * connect) > 0.99
    both = np.isfinite(echo) & np.isfinite(update)
    assert (echo[both] >= 0.98 * update[both]).all()


def test_frames_shares_and_losses_stay_in_their_ranges(fleet: Fleet) -> None:
    assert np.nanmax(column(fleet, "console", "console_fps")) <= 33.4
    assert np.nanmax(column(fleet, "vm", "vm_throttled_pct")) <= 100
    ratio = column(fleet, "host", "host_freq_ratio")
    assert np.nanmin(ratio) > 0.2
    assert np.nanmax(ratio) < 1.6
    assert np.nanmax(column(fleet, "link", "link_loss_pct")) <= 100


def test_nothing_but_measurements_and_configuration_tells_of_a_fault() -> None:
    """The same seed with other faults has the same names, times, gaps and order: metadata is at chance."""
    one, other = (simulate(replace(SETTINGS, only_causes=(cause,))) for cause in ("HW-01", "MAINT-06"))
    for kind, panel in one.panels.items():
        assert panel.entity_ids == other.panels[kind].entity_ids
        assert panel.metric_names == other.panels[kind].metric_names
        gone = np.isnan(panel.values).all(axis=2).mean()
        assert gone == pytest.approx(np.isnan(other.panels[kind].values).all(axis=2).mean(), abs=1e-3)
    names = {entity.id for entity in one.topology}
    assert not any(cause in name for cause in DEFINITIONS.faults for name in names)


def test_the_past_predicts_healthy_consoles_but_not_perfectly() -> None:
    """Error of the same slot a day before, over that of the slot before: neither hopeless nor given."""
    quiet = simulate(replace(SETTINGS, faults=0))
    update = column(quiet, "console", "console_update_ms")
    day = 86_400 // SETTINGS.interval_s
    seasonal = np.nanmean(np.abs(update[:, day:] - update[:, :-day]))
    assert 0.7 < seasonal / np.nanmean(np.abs(np.diff(update, axis=1))) < 1.3


@pytest.mark.parametrize(("faint", "hidden"), [(0.0, (0.0, 0.1)), (1.0, (0.1, 0.8))])
def test_faint_faults_overlap_with_healthy_days_and_others_do_not(faint: float, hidden: tuple[float, float]) -> None:
    """Share of faults whose level lies within the band of the three days before, for causes with one plain sign."""
    signs = {"PWR-01": ("host", "host_freq_ratio"), "CONT-04": ("host", "host_memory_available_pct"),
             "HW-01": ("host", "host_cpu_busy_pct")}  # fmt: skip
    made = simulate(replace(SETTINGS, hosts=8, days=12, faults=24, only_causes=tuple(signs), faint=faint))
    inside = []
    for incident in made.incidents:
        kind, metric = signs[incident.cause]
        panel = made.panels[kind]
        values = column(made, kind, metric)[panel.entity_ids.index(incident.entity)]
        first, last = panel.slot(incident.start), panel.slot(incident.end)
        past = values[max(first - 864, 0) : first]
        low, high = np.nanquantile(past, (0.02, 0.98))
        inside.append(low <= np.nanmedian(values[first:last]) <= high)
    assert hidden[0] <= np.mean(inside) <= hidden[1]


def test_faults_last_and_restart_as_their_causes_do() -> None:
    for name, template in DEFINITIONS.faults.items():
        assert template.minutes[0] < template.minutes[1], name
        assert (name.startswith("VIRT") or not template.restart) or name in {"SW-01", "ART-07"}, name


def test_configuration_of_the_culprit_is_what_the_fault_says() -> None:
    made = simulate(replace(SETTINGS, faults=1, only_causes=("VIRT-10",)))
    labels = made.topology[made.incidents[0].entity].labels
    assert labels["disk_cache"] in DEFINITIONS.faults["VIRT-10"].labels["disk_cache"]
    restarted = column(made, "vm", "vm_uptime_h")[list(made.panels["vm"].entity_ids).index(made.incidents[0].entity)]
    assert np.nanmin(restarted) < 1


@pytest.mark.parametrize(("cause", "rotates"), [("HW-04", True), ("HW-05", False)])
def test_a_fault_that_needs_a_medium_gets_it(cause: str, rotates: bool) -> None:  # noqa: FBT001 - a parameter
    made = simulate(replace(SETTINGS, faults=1, only_causes=(cause,)))
    assert (made.topology[made.incidents[0].entity].labels["medium"] == MEDIA[2].name) == rotates


def test_a_big_fleet_is_a_stream_of_parts(tmp_path: Path) -> None:
    big = FleetSettings(hosts=PART + 2, vms=2 * PART + 4, days=1, interval_s=1800, seed=3, faults=2, signatures=True)
    plan = plan_fleet(big)
    parts = list(stream(plan))
    whole = simulate(big)
    assert [len(part["host"].entities) for part in parts] == [PART, 2]
    for kind, panel in whole.panels.items():
        assert np.array_equal(np.concatenate([part[kind].values for part in parts]), panel.values, equal_nan=True)
    stream_dataset(plan, tmp_path / "a", name="x")
    write_dataset(whole, tmp_path / "b", name="x")
    for file in ("dataset.toml", "entities.csv", "incidents.csv", "anomalies.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_signatures_are_measured_only_where_asked_for(fleet: Fleet) -> None:
    def names(made: Fleet) -> Iterator[str]:
        return (name for panel in made.panels.values() for name in panel.metric_names)

    assert set(DEFINITIONS.signatures) <= set(names(fleet))
    assert not set(DEFINITIONS.signatures) & set(names(simulate(replace(SETTINGS, signatures=False, faults=0, days=1))))
