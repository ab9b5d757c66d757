"""Guests that migrate, written by the collectors of both hosts into a real InfluxDB, are where they were."""

from pathlib import Path

import numpy as np
from influx import Influx

from brownout.domain.truth import Event
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.line_protocol import batches
from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import sync
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.telegraf import telegraf_points
from brownout.store.history import History
from brownout.store.shards import plan_shards, read_shard

FLEET = FleetSettings(
    hosts=3,
    vms=6,
    days=1.6,
    seed=61,
    interval_s=300,
    migrations=8,
    maintenance=1,
    signatures=True,
    telemetry="no-probe",
)
END = FLEET.start + np.timedelta64(38, "h")


def test_a_guest_is_one_series_and_on_the_host_where_it_was(influx: Influx, tmp_path: Path) -> None:
    fleet, database = simulate(FLEET), influx.database("migrations")
    for points in telegraf_points(fleet):
        database.write(batches(points))
    reader = Canonicaliser(database, TelegrafMapping.load(), FLEET.interval_s)
    lookback = np.timedelta64(7_200_000, "ms")
    for now in (FLEET.start + np.timedelta64(17, "h"), END, END):  # and once again, which changes nothing
        sync(DatabaseSource(reader, since=FLEET.start, now=now, lookback=lookback), tmp_path)
    history = History.open(tmp_path)
    moved = [entity for entity in fleet.topology if entity.former]
    assert {"vm"} == {entity.kind for entity in moved}
    assert len(_slices_with_moves(fleet.events)) > 2
    for entity in fleet.topology:
        found = history.topology[entity.id]
        assert (found.parent, found.former) == (entity.parent, entity.former), entity.id
    (plan,) = plan_shards(history, entities={entity.id for entity in moved})
    panel, expected = read_shard(history, plan).panel, fleet.panels["vm"]
    column, own = panel.metric_names.index("vm_qemu_swap_mib"), expected.metric_names.index("vm_qemu_swap_mib")
    for row, name in enumerate(panel.entity_ids):
        made = expected.between(panel.start, panel.end).values[expected.entity_ids.index(name), :, own]
        np.testing.assert_allclose(panel.values[row, :, column], made, atol=1e-3)


def _slices_with_moves(events: tuple[Event, ...]) -> set[np.datetime64]:
    return {event.end.astype("datetime64[h]") - event.end.astype(int) // 3_600_000 % 6 for event in events}
