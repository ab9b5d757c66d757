"""The host agent beside a real Telegraf: measurements, tags, fields and types; and values by arithmetic over /proc."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from brownout.adapters.agent.domain_stats import domain_samples
from brownout.adapters.agent.gathered import Sample, line
from brownout.adapters.agent.guest_processes import GuestProcesses
from brownout.adapters.agent.host_agent import HostAgent, host_agent
from brownout.adapters.agent.host_disks import DiskCounters
from brownout.adapters.agent.host_network import net
from brownout.adapters.agent.host_processor import CpuUsage
from brownout.adapters.hypervisor.kernel import Kernel
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.domain.errors import BrownoutError

DATA = Path(__file__).parents[2] / "data"
FIRST, SECOND = DATA / "agent/first", DATA / "agent/second"
RECORDED = ("collectors/telegraf.lp", "collectors/first-samples-no-balloon-driver.lp")
APART_S = 3.0

Schema = dict[str, dict[str, str]]

NOT_GATHERED = {
    "ping",  # from where users sit, not from the hypervisor
    "procstat_lookup",  # how Telegraf found processes
    "rt_thread", "host_config", "host_state", "disk_config", "interface_config", "vm_config", "vm_state",  # facts
    "qemu_thread",
}  # fmt: skip
OF_THE_KERNEL = {"kernel_vmstat", "nstat"}
"""Every kernel has its own counters there; each is a whole number."""
OWN_TAGS = {
    "procstat": ({"pattern"}, {"domain_name"}),  # how Telegraf found it; which guest it is of
}
OWN_FIELDS = {
    "procstat": ({"cmdline"}, {"memory_swap"}),  # may hold a secret; of the property mmap
    "libvirt_vcpu": (set(), {"halted", "halted_i"}),  # only of some states
}


def parts_of(text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Measurement, tags, and fields as they are written."""
    head, rest = re.split(r"(?<!\\) ", text, maxsplit=1)
    name, *tags = re.split(r"(?<!\\),", head)
    body = rest.rsplit(" ", 1)[0]
    fields = re.findall(r'((?:[^=,"\\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^,]+)(?:,|$)', body)
    return name, dict(tag.split("=", 1) for tag in tags), dict(fields)


def kind(value: str) -> str:
    return "text" if value[0] == '"' else "whole" if value[-1] == "i" else "number"


def schemas(lines: Iterator[str] | list[str]) -> tuple[dict[str, set[str]], Schema]:
    tags: dict[str, set[str]] = {}
    fields: Schema = {}
    for text in lines:
        name, own, values = parts_of(text)
        tags.setdefault(name, set()).update(own)
        fields.setdefault(name, {}).update({field: kind(value) for field, value in values.items()})
    return tags, fields


def virsh_of(folder: Path, text: str = "") -> Virsh:
    program = folder / "virsh"
    program.write_text(f'#!/bin/sh\n[ "$1" = domstats ] && cat {DATA}/agent/domstats.txt\n{text}')
    program.chmod(0o755)
    return Virsh(program=str(program))


def agent(root: Path, virsh: Virsh, complaints: list[BrownoutError]) -> HostAgent:
    return host_agent(
        host="kvm1", kernel=Kernel(root, 100), virsh=virsh, announcement=root / "none", complain=complaints.append
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that is a link, so that a test moves time on."""
    link = tmp_path / "root"
    link.symlink_to(FIRST)
    return link


def later(root: Path) -> None:
    root.unlink()
    root.symlink_to(SECOND)


def two_rounds(root: Path, virsh: Virsh, complaints: list[BrownoutError]) -> list[str]:
    own = agent(root, virsh, complaints)
    own.begin(0.0)
    later(root)
    return own.round(APART_S, 1_795_852_080_000_000_000)


def test_each_measurement_has_the_tags_fields_and_types_of_a_real_telegraf(root: Path, tmp_path: Path) -> None:
    recorded = [text for name in RECORDED for text in (DATA / name).read_text().splitlines()]
    tags, fields = schemas(recorded)
    own_tags, own_fields = schemas(two_rounds(root, virsh_of(tmp_path), []))
    for name in set(fields) - NOT_GATHERED:
        gone, more = OWN_TAGS.get(name, (set(), set()))
        assert own_tags[name] == tags[name] - gone | more, name
        if name in OF_THE_KERNEL:
            assert set(own_fields[name].values()) == {"whole"}, name
            common = set(own_fields[name]) & set(fields[name])
            assert len(common) > 0.7 * len(fields[name]), name
            continue
        without, added = OWN_FIELDS.get(name, (set[str](), set[str]()))
        expected = {field: types for field, types in fields[name].items() if field not in without}
        assert {field: types for field, types in own_fields[name].items() if field not in added} == expected, name
        assert added <= set(own_fields[name]), name


def test_every_line_has_the_time_of_its_round_and_the_host(root: Path, tmp_path: Path) -> None:
    lines = two_rounds(root, virsh_of(tmp_path), [])
    assert {text.rsplit(" ", 1)[1] for text in lines} == {"1795852080000000000"}
    assert {parts_of(text)[1]["host"] for text in lines} == {"kvm1"}


def spent(root: Path, cpu: str) -> dict[str, int]:
    """Ticks of a processor, without the guests' that are counted twice."""
    words = next(text.split() for text in (root / "proc/stat").read_text().splitlines() if text.split()[0] == cpu)
    user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice = map(int, words[1:11])
    return {
        "user": user - guest, "nice": nice - guest_nice, "system": system, "idle": idle, "iowait": iowait, "irq": irq,
        "softirq": softirq, "steal": steal, "guest": guest, "guest_nice": guest_nice,
    }  # fmt: skip


def test_shares_of_a_processor_are_of_what_went_by_and_add_up(root: Path) -> None:
    usage = CpuUsage(root)
    assert list(usage(0.0)) == []
    later(root)
    found = {sample.tags["cpu"]: sample.fields for sample in usage(APART_S)}
    assert set(found) == {"cpu-total", "cpu0", "cpu1"}
    for cpu, name in {"cpu-total": "cpu", "cpu0": "cpu0"}.items():
        before, after = spent(FIRST, name), spent(SECOND, name)
        ticks = {share: after[share] - before[share] for share in after}
        expected = {f"usage_{share}": 100 * count / sum(ticks.values()) for share, count in ticks.items()}
        assert found[cpu] == pytest.approx(expected)
        assert sum(float(value) for value in found[cpu].values()) == pytest.approx(100)


def test_a_disk_has_means_of_what_went_by_and_none_where_nothing_did(root: Path, tmp_path: Path) -> None:
    counters = DiskCounters(root)
    (first,) = counters(0.0)
    assert "io_await" not in first.fields
    assert "io_util" not in first.fields
    (still,) = counters(1.0)
    assert "io_await" not in still.fields
    assert still.fields["io_util"] == 0.0
    later(root)
    (moved,) = counters(1.0 + APART_S)
    words = [[int(w) for w in (r / "proc/diskstats").read_text().split()[3:]] for r in (FIRST, SECOND)]
    reads, _, _, read_ms, writes, _, _, write_ms, _, busy_ms = [b - a for a, b in zip(*words, strict=True)][:10]
    assert moved.fields["io_await"] == pytest.approx((read_ms + write_ms) / (reads + writes))
    assert moved.fields["io_util"] == pytest.approx(100 * busy_ms / (1000 * APART_S))
    reset = tmp_path / "reset"
    (reset / "proc").mkdir(parents=True)
    (reset / "proc/diskstats").write_text("254 0 vda 1 0 8 1 1 0 8 1 0 1 2\n")
    root.unlink()
    root.symlink_to(reset)
    (again,) = counters(9.0)
    assert "io_await" not in again.fields


def test_a_guests_process_is_told_by_name_with_its_share_of_a_core(root: Path) -> None:
    processes = GuestProcesses(Kernel(root, 100))
    first = {sample.measurement: sample for sample in processes(0.0)}
    assert "cpu_usage" not in first["procstat"].fields
    later(root)
    found = list(processes(APART_S))
    own = next(sample for sample in found if sample.measurement == "procstat")
    assert own.tags == {"domain_name": "vm1", "process_name": "qemu-system-x86_64"}
    stat = [(r / "proc/4242/stat").read_text().rpartition(")")[2].split() for r in (FIRST, SECOND)]
    ticks = [int(words[11]) + int(words[12]) for words in stat]
    assert own.fields["cpu_usage"] == pytest.approx((ticks[1] - ticks[0]) / APART_S)
    throttled = {s.tags["path"].rsplit("/", 1)[1]: s.fields for s in found if s.measurement == "cgroup"}
    assert throttled["emulator"]["cpu.stat.nr_throttled"] == 40
    loop = next(sample for sample in found if sample.measurement == "qemu_main_loop")
    ran, waited, _ = (SECOND / "proc/4242/task/4242/schedstat").read_text().split()
    assert loop.fields == {"cpu_seconds": int(ran) / 1e9, "delay_seconds": int(waited) / 1e9}


def test_a_control_group_that_is_named_after_a_guest_is_told_as_telegraf_tells_it(tmp_path: Path) -> None:
    own = tmp_path / "proc/7"
    own.mkdir(parents=True)
    (own / "cmdline").write_text("/usr/bin/kvm\0-name\0guest=web,debug-threads=on\0")
    (own / "stat").write_text("7 (kvm) S " + " ".join(["0"] * 49))
    scope = "machine.slice/machine-qemu\\x2d3\\x2dweb.scope"
    (own / "cgroup").write_text(f"0::/{scope}/libvirt/emulator\n")
    folder = tmp_path / "sys/fs/cgroup" / scope / "libvirt/emulator"
    folder.mkdir(parents=True)
    (folder / "cpu.stat").write_text("usage_usec 5\nnr_periods 4\nnr_throttled 1\n")
    found = {sample.measurement: sample for sample in GuestProcesses(Kernel(tmp_path, 100))(0.0)}
    assert found["procstat"].tags == {"cgroup": f"{scope}/libvirt/emulator", "process_name": "kvm"}
    assert found["cgroup"].tags == {"path": f"/sys/fs/cgroup/{scope}/libvirt/emulator"}
    assert found["cgroup"].fields["cpu.stat.nr_periods"] == 4


def test_interfaces_that_are_down_and_the_loopback_are_left_out() -> None:
    found = {sample.tags["interface"]: sample.fields for sample in net(FIRST)}
    assert set(found) == {"eth0", "vnet0"}
    assert (found["eth0"]["bytes_recv"], found["eth0"]["bytes_sent"]) == (5613995455, 8125702)
    assert found["vnet0"]["drop_out"] == 1
    assert found["eth0"]["speed"] == 1000


def test_domains_keep_names_that_hold_signs_and_what_telegraf_drops_is_dropped() -> None:
    found = list(domain_samples((DATA / "agent/domstats.txt").read_text()))
    odd = [sample for sample in found if sample.tags["domain_name"] == "it's = two"]
    vcpu = next(sample for sample in odd if sample.measurement == "libvirt_vcpu")
    assert vcpu.fields == {"state": 1, "time": 10, "wait": 0, "halted": "no", "halted_i": 0, "delay": 5}
    assert next(s.fields for s in odd if s.measurement == "libvirt_state") == {"state": 5, "reason": 1}
    block = next(sample for sample in found if sample.measurement == "libvirt_block")
    assert block.fields["path"] == "/var/lib/libvirt/images/d.raw"
    assert block.fields["rd_times"] == 120812


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"a": 1, "b": 1.5}, "a=1i,b=1.5"),
        ({"a": float("nan")}, ""),
        ({"a b": 'say "x\\"\n'}, 'a\\ b="say \\"x\\\\\\" "'),
        ({"a": 2**63 - 1}, "a=9223372036854775807i"),
    ],
)
def test_a_line_has_types_and_escapes(fields: Mapping[str, int | float | str], written: str) -> None:
    text = line(Sample("m", fields, {"t": "a b"}), {"host": "kvm,1"})
    assert text == (f"m,host=kvm\\,1,t=a\\ b {written}" if written else "")


def test_what_cannot_be_read_is_said_once_and_the_rest_is_gathered(root: Path, tmp_path: Path) -> None:
    complaints: list[BrownoutError] = []
    broken = Virsh(program=str(tmp_path / "none"))
    own = agent(root, broken, complaints)
    for second in range(0, 240, 30):
        lines = own.round(float(second), 1)
        assert any(text.startswith("mem,") for text in lines)
        assert not any(text.startswith("libvirt_") for text in lines)
    assert len(complaints) == 2  # domstats each round, the list of guests each minute
    assert all(error.remedy for error in complaints)


def test_a_libvirt_that_hangs_delays_a_round_by_its_patience_and_is_not_asked_twice(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brownout.adapters.agent.host_agent.LONG_S", 0.2)
    asked = tmp_path / "asked"
    virsh = tmp_path / "virsh"
    virsh.write_text(f'#!/bin/sh\n[ "$1" = list ] && exit 0\necho >> {asked}\nexec sleep 60\n')
    virsh.chmod(0o755)
    monkeypatch.setattr("brownout.adapters.hypervisor.virsh.TIMEOUT_S", 5.0)
    complaints: list[BrownoutError] = []
    own = agent(root, Virsh(program=str(virsh)), complaints)
    for second in (0.0, 10.0):
        assert any(text.startswith("mem,") for text in own.round(second, 1))
    assert asked.read_text() == "\n"
    assert [error.what for error in complaints] == ["libvirt did not answer within 0.2 s."]


def test_rooms_and_facts_are_looked_at_once_a_minute(root: Path, tmp_path: Path) -> None:
    own = agent(root, virsh_of(tmp_path), [])
    seen = [any(text.startswith("disk,") for text in own.round(float(second), 1)) for second in range(0, 130, 10)]
    assert [place for place, there in enumerate(seen) if there] == [0, 6, 12]
