"""The mapping that ships with brownout, and what a site puts over it."""

from pathlib import Path

import numpy as np
import pytest
from memory_database import START, MemoryDatabase, raw

from brownout.adapters.hypervisor.domain_xml import LABELS
from brownout.domain.entities import Entity
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue
from brownout.domain.repairs import Repair
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.entity_registry import merged
from brownout.ingest.mapping import Names, TelegrafMapping
from brownout.ingest.raw import Raw


def read(mapping: TelegrafMapping, names: Names | None = None, **tables: Raw) -> dict[tuple[str, str], list[float]]:
    database = MemoryDatabase(**tables)
    reader = Canonicaliser(database, mapping, 60, names or Names())  # type: ignore[arg-type]
    found = reader.read(START, START + np.timedelta64(1, "h"), database.schemas())
    return {
        (entity, metric): table.filter([name == entity for name in table["entity"].to_pylist()])[metric].to_pylist()
        for table in found.tables
        for entity in set(table["entity"].to_pylist())
        for metric in table.column_names[2:]
    }


def test_every_source_makes_metrics_of_the_catalogue_on_kinds_that_carry_them() -> None:
    mapping, catalogue = TelegrafMapping.load(), Catalogue.load().metrics
    for source in mapping.sources:
        for name in source.metrics:
            assert source.entity[0].kind in catalogue[name].entity_kinds, name
    inputs = {source.input for source in mapping.sources}
    assert {name for name in inputs if not any(s.advice for s in mapping.sources if s.input == name)} == set()


def test_cpu_of_a_host_counts_guests_and_not_waiting() -> None:
    found = read(
        TelegrafMapping.load(),
        cpu=raw([{"host": "k", "cpu": "cpu-total"}], [0], usage_idle=[61.0], usage_iowait=[0.7]),
    )
    assert found["k", "host_cpu_busy_pct"] == pytest.approx([38.3])


def test_a_guest_that_is_shut_off_on_its_old_host_is_left_out_and_unknown_is_kept() -> None:
    tags = [{"host": host, "domain_name": name} for host, name in (("k1", "a"), ("k2", "a"), ("k1", "b"))]
    found = read(
        TelegrafMapping.load(),
        libvirt_state=raw(tags[:2], [0], state=[5, 1]),
        libvirt_balloon=raw(tags, [0], current=[1, 3, 1], maximum=[4, 4, 2], usable=[1, 2, 1], available=[4, 4, 4]),
    )
    assert found["a", "vm_balloon_ratio"] == [0.75]
    assert found["b", "vm_balloon_ratio"] == [0.5]


def test_ready_time_is_the_mean_of_vcpus_and_use_is_shared_by_them() -> None:
    tags = [{"host": "k", "domain_name": "a", "vcpu_id": str(n)} for n in range(2)]
    total = [{"host": "k", "domain_name": "a"}]
    found = read(
        TelegrafMapping.load(),
        libvirt_vcpu=raw(tags, [0, 1], delay=[0, 6e9, 0, 12e9]),
        libvirt_cpu=raw(total, [0, 1], user=[0, 50e9], system=[0, 10e9]),
        libvirt_vcpu_total=raw(total, [0], current=[2]),
    )
    assert found["a", "vm_ready_pct"] == pytest.approx([15])
    assert found["a", "vm_cpu_pct"] == pytest.approx([50])


def test_network_use_needs_a_known_speed() -> None:
    tags = [{"host": "k", "interface": name} for name in ("eth0", "eth1", "lo", "vnet3")]
    counted = [0, 60 * 125e6 / 2] * 4
    speed = [1000, 1000, -1, -1, 10, 10, 10, 10]
    found = read(
        TelegrafMapping.load(),
        net=raw(tags, [0, 1], bytes_recv=counted, bytes_sent=[0] * 8, drop_in=[0] * 8, drop_out=[0] * 8, speed=speed),
    )
    assert found["k/eth0", "net_util_pct"] == [None, pytest.approx(50)]
    assert found["k/eth0", "net_speed_mbits"] == [1000, 1000]
    assert found["k/eth1", "net_util_pct"] == found["k/eth1", "net_speed_mbits"] == [None]
    assert {entity for entity, _ in found} == {"k/eth0", "k/eth1"}


def test_what_an_interface_loses_is_a_share_of_what_it_receives() -> None:
    counters = {"packets_recv": [0, 6000, 6000], "err_in": [0, 6, 12], "drop_in": [0, 12, 12]}
    found = read(TelegrafMapping.load(), net=raw([{"host": "k", "interface": "eth0"}], [0, 1, 2], **counters))
    # Of an interface that receives nothing no share is known.
    assert found["k/eth0", "net_bad_ppm"] == [pytest.approx(2000)]


def test_headroom_is_absolute_and_the_time_to_live_is_that_of_the_path() -> None:
    memory = raw([{"host": "k"}], [0], available=[3 * 2**30], available_percent=[5])
    ping = raw([{"host": "p", "url": "k"}], [0], ttl=[57], average_response_ms=[3])
    found = read(TelegrafMapping.load(), mem=memory, ping=ping)
    assert found["k", "host_memory_available_gib"] == [3]
    assert found["p>k", "link_ttl"] == [57]


def test_the_busiest_single_cpu_is_none_of_the_average() -> None:
    tags = [{"host": "k", "cpu": name} for name in ("cpu-total", "cpu0", "cpu1")]
    found = read(
        TelegrafMapping.load(),
        cpu=raw(tags, [0], usage_idle=[80, 70, 1], usage_iowait=[1, 0, 0], usage_softirq=[5, 60, 2]),
    )
    assert found["k", "host_cpu_busy_pct"] == [19]
    assert found["k", "host_cpu_peak_pct"] == [99]
    assert found["k", "host_softirq_pct"] == [60]


def test_a_quota_throttles_and_no_quota_is_known_to_throttle_nothing() -> None:
    scope = "/sys/fs/cgroup/machine.slice/machine-qemu\\x2d3\\x2dweb\\x2d01.scope/libvirt"
    tags = [{"host": "k", "path": f"{scope}/{name}"} for name in ("vcpu0", "emulator")]
    other = {"host": "k", "path": "/sys/fs/cgroup/machine.slice/machine-qemu-4-db.scope/libvirt/vcpu0"}
    counts = {"cpu.stat.nr_periods": [0, 600, 0, 600, 0, 0], "cpu.stat.nr_throttled": [0, 60, 0, 150, 0, 0]}
    found = read(TelegrafMapping.load(), cgroup=raw([*tags, other], [0, 1], **counts))
    assert found["web-01", "vm_throttled_pct"] == pytest.approx([25])
    assert found["db", "vm_throttled_pct"] == [0]


def test_bad_sectors_are_counted_by_the_disks_name_and_hold_until_the_next_reading() -> None:
    names = ("Reallocated_Sector_Ct", "Current_Pending_Sector", "Temperature_Celsius", "Reallocated_Sector_Count_X")
    tags = [{"host": "k", "device": "sda", "name": name} for name in names]
    values = [3, 8, 1, 2, 35, 35, 7, 7]
    found = read(TelegrafMapping.load(), smart_attribute=raw(tags, [0, 10], raw_value=values))
    assert found["k/sda", "disk_bad_sectors"] == [4] * 10 + [10] * 30


def test_an_array_is_degraded_until_the_new_disk_is_rebuilt() -> None:
    tags = [{"host": "k", "Name": "md0", "ActivityState": state} for state in ("active", "recovering")]
    found = read(TelegrafMapping.load(), mdstat=raw(tags, [0], DisksTotal=[4, 4], DisksActive=[4, 2]))
    assert found["k/md0", "disk_degraded"] == [0.5]  # both states in one slot
    later = read(TelegrafMapping.load(), mdstat=raw(tags[1:], [0], DisksTotal=[4], DisksActive=[2]))
    assert later["k/md0", "disk_degraded"] == [1]


def test_members_of_a_bond_belong_to_the_bond() -> None:
    tags = [{"host": "k", "bond": "bond0", "interface": name} for name in ("eno1", "eno2")]
    found = read(TelegrafMapping.load(), bond_slave=raw(tags, [0], status=[1, 0]))
    assert found == {("k/bond0", "net_slaves_down"): [1]}


def test_paused_is_measured_and_shut_off_is_not() -> None:
    tags = [{"host": "k", "domain_name": name} for name in ("runs", "paused", "off")]
    found = read(TelegrafMapping.load(), libvirt_state=raw(tags, [0], state=[1, 3, 5]))
    assert found == {("runs", "vm_paused"): [0], ("paused", "vm_paused"): [1]}


def test_time_since_a_guest_started_and_what_its_qemu_holds_beyond_it() -> None:
    began = (int(START.astype(np.int64)) - 2 * 3_600_000) * 10**6
    scope = [{"host": "k", "cgroup": "machine-qemu-4-db.scope"}, {"host": "k", "cgroup": "machine-qemu-5-web.scope"}]
    balloon = [{"host": "k", "domain_name": "db"}, {"host": "k", "domain_name": "web"}]
    found = read(
        TelegrafMapping.load(),
        procstat=raw(scope, [0], created_at=[began, began], memory_rss=[5 * 2**30, 2**30]),
        libvirt_balloon=raw(balloon, [0], current=[4 * 2**20, 2 * 2**20]),
    )
    assert found["db", "vm_uptime_h"] == pytest.approx([2])
    assert found["db", "vm_qemu_extra_mib"] == [1024]
    assert found["web", "vm_qemu_extra_mib"] == [0]  # it never touched all of its memory


def test_shares_of_attempts_weigh_every_attempt_alike() -> None:
    names = {"domain_name": "db", "hypervisor": "k", "mode": "handshake", "transport": "tcp"}
    tags = [names | {"result": "success"}, names | {"result": "refused"}]
    times = START.astype(np.int64) + np.array([0, 10, 20, 30, 40]) * 1000
    tries = Raw(("result_code",), tuple(tags), np.array([0, 0, 0, 0, 1]), times, np.array([[0.0], [0], [0], [0], [2]]))
    assert read(TelegrafMapping.load(), console_probe=tries)["db/console", "console_failed_pct"] == [20]


def test_the_way_through_a_proxy_is_none_of_the_direct_one() -> None:
    names = {"domain_name": "db", "hypervisor": "k", "mode": "update"}
    tags = [names | {"transport": "tcp"}, names | {"transport": "ws"}]
    found = read(TelegrafMapping.load(), console_probe=raw(tags, [0], tcp_connect_ms=[1, 40], auth_ms=[np.nan, 60]))
    assert found["db/console", "console_connect_ms"] == [1]
    assert found["db/console", "console_proxied_ms"] == [100]


def labels_of(*series: tuple[dict[str, str], list[int]]) -> dict[str, dict[str, str]]:
    """Labels by entity, of series of vm_config that were written at some minutes."""
    times = np.concatenate([START.astype(np.int64) + np.array(minutes) * 60_000 for _, minutes in series])
    places = np.repeat(np.arange(len(series)), [len(minutes) for _, minutes in series])
    config = Raw(("known",), tuple(tags for tags, _ in series), places, times, np.ones((len(times), 1)))
    reader = Canonicaliser(MemoryDatabase(vm_config=config), TelegrafMapping.load(), 60)  # type: ignore[arg-type]
    found = reader.read(START, START + np.timedelta64(1, "h"), MemoryDatabase(vm_config=config).schemas())
    assert found.tables == ()
    return {entity.id: dict(entity.labels) for entity in found.entities}


def test_the_latest_configuration_holds_and_a_migration_takes_it_along() -> None:
    guest = {"host": "k1", "domain_name": "db"}
    found = labels_of(
        (guest | {"disk_bus": "ide", "video_model": "qxl"}, [0, 5, 10]),
        (guest | {"disk_bus": "virtio"}, [15, 20]),
        ({"host": "k2", "domain_name": "web", "os": "linux"}, [0]),
    )
    known = {name: value for name, value in found["db"].items() if value}
    assert known == {"host": "k1", "domain_name": "db", "disk_bus": "virtio"}  # it has no video any more
    assert found["web"]["os"] == "linux"
    old = Entity(id="db", kind="vm", parent="k1", labels={"disk_bus": "ide", "video_model": "qxl"})
    moved = merged(old, Entity(id="db", kind="vm", parent="k2", labels={"disk_bus": "virtio", "video_model": ""}))
    assert moved.parent == "k2"
    assert moved.labels == {"disk_bus": "virtio"}
    assert merged(moved, Entity(id="db", kind="vm", labels={"host": "k2"})).labels == {
        "disk_bus": "virtio",
        "host": "k2",
    }


def test_hostile_values_of_labels_stay_text() -> None:
    hostile = 'x" OR 1=1; <script>alert(1)</script> {host} \\x2d'
    found = labels_of(({"host": "k", "domain_name": hostile, "machine": hostile}, [0]))
    assert found[hostile]["machine"] == hostile


def test_the_mapping_takes_every_label_that_is_read_from_the_xml() -> None:
    (source,) = TelegrafMapping.load().measurements["vm_config"]
    assert set(source.labels) == {*LABELS, "oversized", "disk_gib", "disk_filled_pct"}


def test_a_qemu_process_is_told_by_its_scope() -> None:
    scopes = ["machine-qemu\\x2d3\\x2dweb\\x2d01.scope", "machine-qemu-4-db.scope", "sshd.service"]
    tags = [{"host": "k", "cgroup": scope} for scope in scopes]
    found = read(TelegrafMapping.load(), procstat=raw(tags, [0], cpu_usage=[70, 80, 90], memory_swap=[0, 2**20, 0]))
    assert {entity for entity, _ in found} == {"web-01", "db"}
    assert found["db", "vm_qemu_swap_mib"] == [1]


def test_a_site_can_name_alias_filter_and_map_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[sources]]\nmeasurement = "node_memory"\nentity = [{ kind = "host", id = "{node}" }]\n'
        '[sources.metrics]\nhost_memory_available_pct = "100 * free / total"\n'
    )
    names = Names(ids={"vm": "{host}/{domain_name}"}, aliases={"url": {"10.0.0.1": "k1"}}, hosts=("k*",))
    mapping = TelegrafMapping.load(own, names=names)
    cpu = raw(
        [{"host": h, "cpu": "cpu-total"} for h in ("k1", "guest7")], [0], usage_idle=[50, 60], usage_iowait=[0, 0]
    )
    found = read(
        mapping,
        names,
        node_memory=raw([{"node": "k1"}], [0], free=[1], total=[4]),
        mem=raw([{"host": "k1"}], [0], available_percent=[99]),
        ping=raw([{"host": "p", "url": "10.0.0.1"}], [0], average_response_ms=[3]),
        libvirt_balloon=raw([{"host": "k1", "domain_name": "a"}], [0], current=[1], maximum=[2]),
        cpu=cpu,
    )
    assert found["k1", "host_memory_available_pct"] == [25]
    assert found["p>k1", "link_rtt_ms"] == [3]
    assert found["k1/a", "vm_balloon_ratio"] == [0.5]
    assert not any(entity == "guest7" for entity, _ in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[sources]]\nmeasurement = 'm'\n", "lacks"),
        ("[[sources]]\nmeasurement='m'\nentity=[{kind='host',id='{h}'}]\nmetrics={a='b'}\nnope=1\n", "unknown keys"),
        ("[[sources]]\nmeasurement='m'\nentity=[{kind='host'}]\nmetrics={a='b'}\n", "cannot be read"),
        ("[[sources]]\nmeasurement='m'\nentity=[]\nexclude={a='('}\nmetrics={a='b'}\n", "cannot be read"),
        ("[other]\n", "unknown tables"),
        ("x = [", "cannot be read"),
    ],
)  # fmt: skip
def test_a_malformed_mapping_is_refused_with_its_reason(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(KnowledgeError, match=says):
        TelegrafMapping.load(tmp_path / "own.toml")


def test_a_guest_that_migrates_is_one_series_on_one_host_at_a_time() -> None:
    """From minute 18 to 20 both hosts write about it; on the new one it is paused until it runs there."""
    tags = [{"host": host, "domain_name": "db"} for host in ("k1", "k2")]
    minutes = [list(range(21)), list(range(18, 60))]
    series = np.repeat([0, 1], [len(own) for own in minutes])
    times = START.astype(np.int64) + np.concatenate(minutes) * 60_000
    states = np.where((series == 1) & (times <= times[20]), 3.0, 1.0)
    database = MemoryDatabase(libvirt_state=Raw(("state",), tuple(tags), series, times, states[:, None]))
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)  # type: ignore[arg-type]
    found = reader.read(START, START + np.timedelta64(1, "h"), database.schemas())
    (table,) = found.tables
    assert table["entity"].to_pylist() == ["db"] * 60
    assert table["vm_paused"].to_pylist() == [0] * 60
    (own,) = [entity for entity in found.entities if entity.kind == "vm"]
    assert (own.parent, own.former) == ("k2", ((START + np.timedelta64(21, "m"), "k1"),))
    assert own.labels["host"] == "k2"


def test_values_that_are_held_are_counted_by_their_source() -> None:
    minutes = list(range(0, 60, 5))
    full = raw([{"host": "kvm1", "path": "/", "fstype": "xfs"}], minutes, used_percent=[50.0] * len(minutes))
    database = MemoryDatabase(disk=full)
    reader = Canonicaliser(database, TelegrafMapping.load(), 60)  # type: ignore[arg-type]
    found = reader.read(START, START + np.timedelta64(1, "h"), database.schemas())
    assert found.repairs.counts == {(Repair.HELD, "disk"): 60 - len(minutes)}
    (table,) = found.tables
    assert table.num_rows == 60
