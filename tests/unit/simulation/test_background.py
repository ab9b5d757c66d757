"""Migrations and maintenance: a guest and its load are on one host at a time, and what is done is no fault."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.signal import lfilter

from brownout.domain.errors import SettingsError
from brownout.domain.truth import Event
from brownout.simulation import Fleet, FleetSettings, simulate
from brownout.simulation.events.injection import Injection, apply
from brownout.simulation.fleet import STRETCH, Plan, plan_fleet
from brownout.simulation.fleet_dataset import stream_dataset, write_dataset
from brownout.simulation.measured_state import MeasuredState
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.load import ar1
from brownout.simulation.simulation_definitions import SimulationDefinitions
from brownout.store.dataset import Dataset

SETTINGS = FleetSettings(
    hosts=6, vms=24, days=4, interval_s=300, seed=8, migrations=14, maintenance=2, faults=4, signatures=True
)
DEFINITIONS = SimulationDefinitions.load()
HOUR = np.timedelta64(3600, "s")


@pytest.fixture(scope="module", params=[STRETCH, 250])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """The fleet at once, and stretch by stretch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brownout.simulation.fleet.STRETCH", request.param)
        return simulate(SETTINGS)


def column(fleet: Fleet, kind: str, metric: str) -> np.ndarray:
    panel = fleet.panels[kind]
    return panel.values[..., panel.metric_names.index(metric)].astype(float)


def whereabouts(fleet: Fleet, kind: str) -> np.ndarray:
    """Index of the host that each entity is on in each slot, from the topology's own words."""
    panel = fleet.panels[kind]
    place = {entity.id: row for row, entity in enumerate(fleet.panels["host"].entities)}
    return np.array([[place[fleet.topology.root(e.id, time)] for time in panel.times] for e in panel.entities])


def on_hosts(fleet: Fleet, kind: str, metric: str) -> np.ndarray:
    """Sums of a metric over the entities on each host, NaN where one was not measured."""
    values, at = column(fleet, kind, metric), whereabouts(fleet, kind)
    totals = np.zeros((len(fleet.panels["host"].entities), values.shape[1]))
    np.add.at(totals, (at, np.broadcast_to(np.arange(values.shape[1]), at.shape)), values)
    return totals


def migrations(fleet: Fleet) -> list[Event]:
    return [event for event in fleet.events if event.kind == "migration"]


def test_sessions_leave_one_host_and_arrive_at_the_other(fleet: Fleet) -> None:
    counted, sums = column(fleet, "host", "host_sessions"), on_hosts(fleet, "console", "console_clients")
    known = np.isfinite(counted) & np.isfinite(sums)
    assert known.mean() > 0.95
    np.testing.assert_array_equal(counted[known], sums[known])
    still = simulate(replace(SETTINGS, migrations=0, maintenance=0, faults=0))
    moved = simulate(replace(SETTINGS, faults=0))
    before, after = (column(made, "host", "host_sessions") for made in (still, moved))
    for cluster in (slice(0, 4), slice(4, 6)):
        known = np.isfinite(before[cluster]).all(axis=0) & np.isfinite(after[cluster]).all(axis=0)
        np.testing.assert_array_equal(before[cluster].sum(axis=0)[known], after[cluster].sum(axis=0)[known])
    assert np.nanmax(np.abs(before - after)) > 0


def test_guests_use_what_the_host_is_busy_with_where_they_are(fleet: Fleet) -> None:
    """A disk's requests and a host's cores are those of the guests that are there."""
    cores = np.array([float(host.labels["cores"]) for host in fleet.panels["host"].entities])[:, None]
    vcpus = np.array([float(guest.labels["vcpus"]) for guest in fleet.panels["vm"].entities])
    panel = fleet.panels["vm"]
    used = replace(panel, values=panel.values * (vcpus[:, None, None] / 100).astype(np.float32))
    there = on_hosts(replace(fleet, panels={**fleet.panels, "vm": used}), "vm", "vm_cpu_pct")
    calm = column(fleet, "host", "host_cpu_iowait_pct") < 2
    slack = (there - column(fleet, "host", "host_cpu_busy_pct") / 100 * cores) / cores
    assert np.nanquantile(slack[calm], 0.99) < 0.05
    requests = on_hosts(fleet, "vm", "vm_disk_iops")
    traffic = column(fleet, "disk", "disk_read_kbs") + column(fleet, "disk", "disk_write_kbs")
    ratio = np.log(traffic / np.maximum(requests, 1))[calm & (requests > 5)]
    assert np.nanquantile(np.abs(ratio - np.nanmedian(ratio)), 0.95) < 0.3


def test_what_the_old_host_sends_of_a_guest_the_new_one_receives(fleet: Fleet) -> None:
    names = [entity.id for entity in fleet.panels["host"].entities]
    sent = column(fleet, "interface", "net_tx_kbs") - on_hosts(fleet, "vm", "vm_net_tx_kbs")
    received = column(fleet, "interface", "net_rx_kbs") - on_hosts(fleet, "vm", "vm_net_rx_kbs")
    compared = 0
    for event in migrations(fleet):
        span = slice(fleet.panels["host"].slot(event.start), fleet.panels["host"].slot(event.end))
        out, into = sent[names.index(event.source), span], received[names.index(event.target), span]
        assert event.source != event.target
        if np.isfinite(out).all() and np.isfinite(into).all():
            guest = fleet.topology[event.entity].labels["memory_gib"]
            assert out.sum() == pytest.approx(into.sum(), rel=0.2)
            assert out.sum() * 300 == pytest.approx(1.3 * float(guest) * 2**20, rel=0.2)
            compared += 1
    assert compared > 10


def test_the_way_to_a_console_is_that_to_its_host(fleet: Fleet) -> None:
    connect, rtt = column(fleet, "console", "console_connect_ms"), column(fleet, "link", "link_rtt_ms")
    at = whereabouts(fleet, "console")
    ratio = connect / rtt[at, np.arange(rtt.shape[1])]
    assert np.nanmean((ratio > 0.6) & (ratio < 1.8)) > 0.98
    moved = [row for row in range(len(at)) if len(set(at[row])) > 1]
    assert len(moved) > 5


def test_a_guest_has_a_new_process_only_where_it_arrives_or_restarts() -> None:
    quiet = simulate(replace(SETTINGS, faults=0))
    panel, uptime = quiet.panels["vm"], column(quiet, "vm", "vm_uptime_h")
    for row, name in enumerate(panel.entity_ids):
        arrived = {panel.slot(event.end) for event in migrations(quiet) if event.entity == name}
        known = np.flatnonzero(np.isfinite(uptime[row]))
        fell = known[1:][np.diff(uptime[row, known]) < 0]
        assert len(fell) == len(arrived)
        assert all(min(abs(slot - other) for other in arrived) <= 1 for slot in fell.tolist())


@pytest.mark.parametrize("stretch", [STRETCH, 250])
def test_a_host_is_empty_when_it_restarts_and_says_that_it_is_maintained(
    stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownout.simulation.fleet.STRETCH", stretch)
    quiet = simulate(replace(SETTINGS, faults=0))
    flag, uptime = column(quiet, "host", "host_maintenance"), column(quiet, "host", "host_uptime_h")
    at, panel = whereabouts(quiet, "vm"), quiet.panels["host"]
    windows = [event for event in quiet.events if event.kind == "maintenance"]
    expected = np.zeros(flag.shape)
    for event in windows:
        row = panel.entity_ids.index(event.entity)
        expected[row, panel.slot(event.start) : panel.slot(event.end)] = 1
    np.testing.assert_array_equal(flag[np.isfinite(flag)], expected[np.isfinite(flag)])
    restarts = [(row, slot + 1) for row, slot in np.argwhere(np.diff(uptime, axis=1) < 0).tolist()]
    assert len(restarts) == len(windows) == 2
    assert all(expected[row, slot] == 1 and row not in at[:, slot] for row, slot in restarts)


def test_guests_without_another_host_stay_while_theirs_is_maintained() -> None:
    made = simulate(replace(SETTINGS, hosts=1, vms=3, migrations=0, maintenance=1, faults=0))
    assert [event.kind for event in made.events] == ["maintenance"]
    assert (np.diff(column(made, "host", "host_uptime_h")) > 0)[
        np.isfinite(np.diff(column(made, "host", "host_uptime_h")))
    ].all()


def test_faults_stay_away_from_what_is_done_and_know_where_their_guest_is(fleet: Fleet) -> None:
    assert len(fleet.incidents) == 4
    _stay_away(fleet)


@pytest.mark.parametrize("seed", range(2))
def test_second_faults_stay_away_too(seed: int) -> None:
    plan = plan_fleet(replace(SETTINGS, seed=seed, pairs=1.0, migrations=40, only_causes=("LEAK-01", "SW-05", "HW-01")))
    assert len(plan.truth[0]) > 4
    _stay_away(plan)


def _stay_away(made: Fleet | Plan) -> None:
    incidents = made.truth[0] if isinstance(made, Plan) else made.incidents
    for incident in incidents:
        assert made.topology.root(incident.entity, incident.start) == incident.group
        for event in made.events:
            if incident.group in (event.entity, event.source, event.target):
                assert event.end + HOUR <= incident.start or incident.end + HOUR <= event.start


def test_a_folder_says_where_guests_were_and_what_was_done(fleet: Fleet, tmp_path: Path) -> None:
    write_dataset(fleet, tmp_path / "whole", name="x")
    stream_dataset(plan_fleet(SETTINGS), tmp_path / "stream", name="x")
    for file in ("entities.csv", "placements.csv", "events.csv", "incidents.csv"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stream" / file).read_bytes()
    opened = Dataset.open(tmp_path / "whole").topology
    assert [(e.id, e.parent, e.former) for e in opened] == [(e.id, e.parent, e.former) for e in fleet.topology]
    assert all(e.group == opened.root(e.id) for e in opened)
    assert sum(len(entity.former) for entity in opened) == len(migrations(fleet)) > 14
    lines = (tmp_path / "whole" / "events.csv").read_text().splitlines()
    assert len(lines) == len(fleet.events) + 1


def test_time_goes_on_from_stretch_to_stretch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = simulate(SETTINGS)
    monkeypatch.setattr("brownout.simulation.fleet.STRETCH", 250)
    plan = plan_fleet(SETTINGS)
    stretched = simulate(SETTINGS)
    assert stretched.incidents == whole.incidents
    told: list[float] = []
    stream_dataset(plan, tmp_path / "x", name="x", progress=lambda _, share: told.append(share))
    assert told == pytest.approx(np.arange(1, 11) / 10)
    for kind, panel in stretched.panels.items():
        assert panel.entities == whole.panels[kind].entities
        assert np.array_equal(panel.times, whole.panels[kind].times)
    for metric, kind in (("vm_uptime_h", "vm"), ("host_uptime_h", "host"), ("disk_used_pct", "path")):
        steps = np.diff(column(stretched, kind, metric), axis=1)
        usual = np.nanquantile(np.abs(steps), 0.999)
        assert np.nanmax(np.abs(steps[:, 249::250])) <= 1.5 * usual, metric


def test_draws_go_on_where_the_last_stretch_ended() -> None:
    rows, seed = 4000, np.random.SeedSequence(3)
    draws, values = Draws(seed), np.random.default_rng(0).normal(size=(2, 30))
    noise, kept, filtered = [], [], []
    for part in np.split(values, 3, axis=1):
        draws.rewind()
        noise.append(ar1(draws, (rows, 10), steps=8))
        kept.append(draws.once(lambda: draws.uniform(0, 1, 3)))
        filtered.append(draws.filtered([0.3], [1, -0.7], part))
    assert (np.ptp(kept, axis=0) == 0).all()
    np.testing.assert_allclose(np.concatenate(filtered, axis=1), lfilter([0.3], [1, -0.7], values, axis=1))
    whole = np.concatenate(noise, axis=1)
    assert whole.std(axis=0) == pytest.approx(1, abs=0.05)
    near = np.array([np.corrcoef(whole[:, slot], whole[:, slot + 1])[0, 1] for slot in range(29)])
    assert near == pytest.approx(np.exp(-1 / 8), abs=0.02)


def test_events_of_the_last_hour_are_remembered_over_stretches() -> None:
    plan = plan_fleet(SETTINGS)
    draws = Draws(np.random.SeedSequence(1))
    found = []
    for _ in range(2):
        draws.rewind()
        nothing: Any = None
        state = MeasuredState(
            settings=SETTINGS,
            layout=plan.layout,
            drivers=Drivers.healthy(plan.layout, 40, DEFINITIONS.drivers),
            demand=nothing,
            hosts=nothing,
            guests=nothing,
            consoles=nothing,
            rng=draws,
        )
        found.append(state.last_hour(np.full((1, 1), 1200.0), (200, 40)))
    means = np.concatenate(found, axis=1).mean(axis=0)
    assert means[:12] == pytest.approx(100 * np.arange(1, 13), rel=0.05)
    assert means[12:] == pytest.approx(1200, rel=0.05)


def test_memory_goes_with_the_guest() -> None:
    """What is available at both hosts changes by what the guest holds: its memory's resident share."""
    still, moved = (simulate(replace(SETTINGS, faults=0, **off)) for off in ({"migrations": 0, "maintenance": 0}, {}))  # type: ignore[arg-type]
    gained = column(moved, "host", "host_memory_available_pct") - column(still, "host", "host_memory_available_pct")
    size = np.array([float(host.labels["memory_gib"]) for host in moved.panels["host"].entities])[:, None]
    held = np.array([0.6 * float(guest.labels["memory_gib"]) for guest in moved.panels["vm"].entities])
    came = np.zeros(gained.shape)
    for made, sign in ((moved, 1), (still, -1)):
        at = whereabouts(made, "vm")
        np.add.at(came, (at, np.broadcast_to(np.arange(at.shape[1]), at.shape)), sign * held[:, None])
    known = np.isfinite(gained) & (np.abs(came) > 0.5)
    assert np.nanquantile(np.abs(gained + 100 * came / size)[known], 0.95) < 4
    assert np.nanmedian(np.abs(gained)[known]) > 2


@pytest.mark.parametrize("cause", ["LEAK-01", "CONT-04", "VIRT-10", "HW-05"])
def test_a_fault_goes_on_from_stretch_to_stretch(cause: str) -> None:
    layout = plan_fleet(SETTINGS).layout
    fault = Injection(cause=cause, host=int(layout.host[2]), vm=2, first=12, last=33, visible=12, severity=0.7, seed=5)
    template = DEFINITIONS.faults[cause]
    whole = Drivers.healthy(layout, 40, DEFINITIONS.drivers)
    apply(fault, template, layout, whole)
    for begin in (0, 20):
        part = Drivers.healthy(layout, 20, DEFINITIONS.drivers)
        apply(replace(fault, first=12 - begin, last=33 - begin), template, layout, part)
        for name in (*Drivers.__dataclass_fields__, *whole.extra):
            if name not in {"extra", "known"}:
                expected = whole.target(name, layout)[:, begin : begin + 20]
                np.testing.assert_array_equal(part.target(name, layout), expected, err_msg=name)


def test_a_fleet_without_events_has_no_files_of_them(tmp_path: Path) -> None:
    made = simulate(replace(SETTINGS, days=1, migrations=0, maintenance=0, faults=0))
    write_dataset(made, tmp_path / "still", name="x")
    assert not {"placements.csv", "events.csv"} & {path.name for path in (tmp_path / "still").iterdir()}
    assert not any(entity.former for entity in made.topology)


@pytest.mark.parametrize("wrong", [{"hosts": 1, "maintenance": 0}, {"migrations": -1}, {"maintenance": 400}])
def test_what_cannot_be_done_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=r"migrations|maintenance"):
        plan_fleet(replace(SETTINGS, **{"faults": 0, **wrong}))  # type: ignore[arg-type]


def test_a_week_of_some_guests_has_row_groups_of_its_own(tmp_path: Path) -> None:
    made = FleetSettings(hosts=5, vms=25, days=15, interval_s=1800, seed=1, signatures=True)
    stream_dataset(plan_fleet(made), tmp_path / "x", name="x")
    metadata = pq.read_metadata(tmp_path / "x" / "samples.parquet")
    column = metadata.schema.names.index("time")
    spans = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    weeks = {np.datetime64(span.min.replace(tzinfo=None), "ms") for span in spans}
    assert len(weeks) == 3
    assert all(span.max - span.min < timedelta(days=7) for span in spans)
    assert max(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)) <= 65_536
    dataset, whole = Dataset.open(tmp_path / "x"), simulate(made).panels["vm"]
    week = (made.start + np.timedelta64(7, "D"), made.start + np.timedelta64(14, "D"))
    for name in ("vm001", "vm025"):
        table = dataset.read([name], start=week[0], end=week[1])
        expected = whole.between(*week).values[whole.entity_ids.index(name)]
        expected = expected[np.isfinite(expected).any(axis=1)]
        found = np.stack([table[metric].to_numpy() for metric in whole.metric_names], axis=1)
        np.testing.assert_array_equal(found, expected)
