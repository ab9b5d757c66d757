"""Facts of a hypervisor: a made-up /proc and /sys, and a virsh that answers as the real one does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brownout.adapters.hypervisor.facts import guest_facts, host_facts
from brownout.adapters.hypervisor.kernel import Kernel, Thread
from brownout.adapters.hypervisor.mounts import Mount, image_of
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.cli import app
from brownout.domain.errors import BrownoutError

TICKS = 100
VIRSH = """#!/bin/sh
case "$*" in *"; echo "*)
  set -f; IFS=';'; set -- $1; unset IFS
  for command; do case $command in *"echo "*) echo "${command##*echo }";; *) sh "$0" $command;; esac; done; exit 0;;
esac
case "$*" in
  "list --uuid") printf 'u-1\\nu-2\\nu-3\\n\\n';;
  "dumpxml u-1") cat <<'END'
<domain type='kvm' id='9'><name>desk, 01</name><uuid>u-1</uuid><vcpu>6</vcpu><devices>
<disk device='cdrom'><target dev='sda' bus='sata'/></disk><disk><target dev='vda' bus='virtio'/></disk>
<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0' state='disconnected'/></channel>
</devices></domain>
END
  ;;
  "dumpxml u-2") echo "<domain type='kvm'><name>web</name><vcpu>2</vcpu>"
    echo "<devices><disk><target dev='vda'/></disk></devices></domain>";;
  "dumpxml u-3") echo "error: Domain not found" >&2; exit 1;;
  "domjobinfo u-1") printf 'Job type:         None\\n\\n';;
  "domjobinfo u-2") printf 'Job type:         Unbounded\\nOperation:        Outgoing migration\\n';;
  "blockjob u-1 sda --info") echo "error: invalid argument: disk 'sda' is empty" >&2; exit 1;;
  "blockjob u-1 vda --info") echo "Block Copy: [ 34 %]";;
  "blockjob u-2 vda --info") echo "No current block job for vda";;
  *) echo "error: unexpected $*" >&2; exit 1;;
esac
"""


def stat(name: str, *, spent: int = 0, start: int = 0, policy: int = 0) -> str:
    """A line of proc(5): state and 49 figures after the name."""
    figures = ["S", *["0"] * 49]
    figures[11], figures[12], figures[19], figures[38] = str(spent), "0", str(start), str(policy)
    return f"77 ({name}) {' '.join(figures)}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with four cores of two threads, two of them a node, and QEMU of one guest."""
    files = {
        "proc/uptime": "1000.00 9000.00",
        "proc/10/stat": stat("systemd"), "proc/10/task/10/stat": stat("systemd", spent=500),
        "proc/20/stat": stat("migration/0"), "proc/20/task/20/stat": stat("migration/0", spent=30, policy=1),
        "proc/21/task/21/stat": stat("migration/1", spent=20, policy=1),
        "proc/22/task/22/stat": stat("evil) S 9 9 (x", spent=700, policy=2),
        "proc/30/cmdline": "/usr/bin/qemu\0-name\0guest=desk,, 01,debug-threads=on\0-S",
        "proc/30/stat": stat("qemu-system-x86", start=97_000),
        "proc/30/task/30/stat": stat("qemu-system-x86", spent=9),
        "proc/30/task/31/stat": stat("vnc_worker", spent=250),
        "proc/30/task/32/stat": stat("SPICE Worker", spent=100),
        "proc/30/task/33/stat": stat("SPICE Worker", spent=50),
        "proc/31/cmdline": "grep\0guest",
        "var/log/libvirt/qemu/web.log": "net test: latency 1 ms, LOW BANDWIDTH\nnet test: latency 1 ms, 99 Mbps\n",
        "sys/block/sda/queue/scheduler": "[mq-deadline] kyber none\n", "sys/block/sda/queue/rotational": "1",
        "sys/block/nvme0n1/queue/scheduler": "[none] mq-deadline", "sys/block/nvme0n1/queue/rotational": "0",
        "sys/block/loop0/queue/scheduler": "[none]",
    }  # fmt: skip
    for cpu in range(8):
        base = f"sys/devices/system/cpu/cpu{cpu}"
        files[f"{base}/topology/thread_siblings_list"] = f"{cpu % 4},{cpu % 4 + 4}"
        files[f"{base}/cpufreq/scaling_governor"] = "powersave"
        files[f"{base}/cpufreq/scaling_driver"] = "acpi-cpufreq"
        node = tmp_path / f"sys/devices/system/node/node{cpu % 4 // 2}"
        node.mkdir(parents=True, exist_ok=True)
        (node / f"cpu{cpu}").symlink_to(tmp_path / base)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def virsh(tmp_path: Path) -> Virsh:
    """A virsh that knows three guests, the last of which is gone when asked about."""
    program = tmp_path / "virsh"
    program.write_text(VIRSH)
    program.chmod(0o755)
    return Virsh(program=str(program))


def test_threads_of_a_real_time_class_are_told_by_name(root: Path) -> None:
    found = Kernel(root, TICKS).real_time()
    assert found == (
        Thread(name="evil) S 9 9 (x", guest="", cpu_seconds=7.0),
        Thread(name="migration", guest="", cpu_seconds=0.5),
    )


def test_threads_that_encode_screens_are_told_by_guest(root: Path) -> None:
    assert [(t.name, t.guest, t.cpu_seconds) for t in Kernel(root, TICKS).displays()] == [
        ("vnc_worker 0", "desk, 01", 2.5), ("SPICE Worker 0", "desk, 01", 1.0), ("SPICE Worker 1", "desk, 01", 0.5),
    ]  # fmt: skip


def test_what_the_kernel_says_of_processors_and_disks(root: Path) -> None:
    kernel = Kernel(root, TICKS)
    assert (kernel.cores(), kernel.cores_a_node(), kernel.governor()) == (4, 2, "powersave")
    assert kernel.disks() == {"nvme0n1": ("none", "nvme"), "sda": ("mq-deadline", "hdd")}
    assert kernel.guests_started() == 1
    (root / "proc/uptime").write_text("1031.00 0")
    assert kernel.guests_started() == 0


def test_a_processor_that_chooses_its_clock_itself_is_no_powersaver(root: Path) -> None:
    for cpu in range(8):
        (root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_driver").write_text("intel_pstate")
    assert Kernel(root, TICKS).governor() == "intel_pstate powersave"


def test_facts_are_line_protocol_and_one_bad_guest_does_not_spoil_the_others(root: Path, virsh: Virsh) -> None:
    complaints: list[BrownoutError] = []
    lines = list(guest_facts(virsh, {"host": "kvm 1"}, Kernel(root, TICKS), complaints.append))
    heads = [line.split(" known=")[0] for line in lines if line.startswith("vm_config")]
    assert heads[0].startswith("vm_config,backing_depth=0,disk_bus=virtio")
    assert ",domain_name=desk\\,\\ 01," in heads[0]
    assert ",host=kvm\\ 1," in heads[0]
    assert ",oversized=yes," in heads[0]
    assert ",oversized=no," in heads[1]
    assert [line for line in lines if line.startswith("vm_state")] == [
        "vm_state,domain_name=desk\\,\\ 01,host=kvm\\ 1 migrating=0i,block_job=1i,agent=0i",
        "vm_state,domain_name=web,host=kvm\\ 1 migrating=1i,block_job=0i,low_bandwidth=0i",
    ]
    assert lines[-1] == "host_config,governor=powersave,host=kvm\\ 1,vcpus_per_core=2 known=1i"
    assert [error.what for error in complaints] == ["Guest u-3: virsh dumpxml: error: Domain not found."]


def test_a_libvirt_that_does_not_say_is_not_taken_for_a_no(root: Path, virsh: Virsh) -> None:
    program = Path(virsh.program)
    program.write_text(VIRSH.replace('"domjobinfo', '"none').replace('"blockjob', '"none'))
    lines = list(guest_facts(virsh, {}, Kernel(root, TICKS), list[BrownoutError]().append))
    assert [line for line in lines if line.startswith("vm_state")] == [
        "vm_state,domain_name=desk\\,\\ 01 agent=0i",
        "vm_state,domain_name=web low_bandwidth=0i",
    ]


def test_a_libvirt_that_is_down_leaves_the_facts_of_the_host(root: Path) -> None:
    complaints: list[BrownoutError] = []
    lines = list(guest_facts(Virsh(program="/nowhere/virsh"), {}, Kernel(root, TICKS), complaints.append))
    assert lines == ["host_config,governor=powersave known=1i"]
    assert len(complaints) == 1


def test_facts_of_a_real_libvirt() -> None:
    if shutil.which("virsh") is None:
        pytest.skip("no virsh on this machine: apt install libvirt-clients")
    complaints: list[BrownoutError] = []
    (line,) = guest_facts(Virsh("test:///default"), {}, None, complaints.append)
    assert line.startswith("vm_config,backing_depth=0,disk_bus=virtio,")
    assert ",domain_name=test," in line
    assert ",mem_kib=8388608," in line
    assert complaints == []


def test_facts_of_the_host(root: Path) -> None:
    announced = root / "announced"
    announced.touch()
    assert list(host_facts(Kernel(root, TICKS), {}, announced)) == [
        "host_state vm_starts=1i,maintenance=1i",
        "disk_config,medium=nvme,name=nvme0n1,scheduler=none known=1i",
        "disk_config,medium=hdd,name=sda,scheduler=mq-deadline known=1i",
        "disk_config,name=loop0 own=0i",
        "disk_config,name=nvme0n1 own=1i",
        "disk_config,name=sda own=1i",
        "rt_thread,thread=evil)\\ S\\ 9\\ 9\\ (x cpu_seconds=7",
        "rt_thread,thread=migration cpu_seconds=0.5",
        "qemu_thread,domain_name=desk\\,\\ 01,thread=vnc_worker\\ 0 cpu_seconds=2.5",
        "qemu_thread,domain_name=desk\\,\\ 01,thread=SPICE\\ Worker\\ 0 cpu_seconds=1",
        "qemu_thread,domain_name=desk\\,\\ 01,thread=SPICE\\ Worker\\ 1 cpu_seconds=0.5",
    ]


def test_where_images_lie_and_how_large_they_are(root: Path, virsh: Virsh) -> None:
    image = root / "images/web.qcow2"
    image.parent.mkdir()
    image.write_bytes(b"QFI\xfb" + bytes(20) + (40 * 2**30).to_bytes(8))
    Path(virsh.program).write_text(
        VIRSH.replace("<disk><target dev='vda'/>", "<disk><source file='/images/web.qcow2'/><target dev='vda'/>")
    )
    lines = [
        line for line in guest_facts(virsh, {}, Kernel(root, TICKS), list[BrownoutError]().append) if "web" in line
    ]
    for label in ("disk_gib=40", "disk_filled_pct=10", "disk_path=/images/web.qcow2", "disk_target=vda"):
        assert f",{label}," in lines[0]
    assert image_of(root / "images") is None
    assert image_of(root / "gone") is None


def test_stores_and_uplinks_of_the_host(root: Path) -> None:
    (root / "proc/self").mkdir()
    lines = [f"/dev/sda2 {root} ext4 rw,noatime 0 0", f"/dev/sda2 {root}/bind ext4 rw 0 0", "proc /proc proc rw 0 0"]
    (root / "proc/self/mounts").write_text("\n".join([*lines, f"/dev/mapper/vg-a {root} xfs ro 0 0"]))
    for name, text in (("type", "1"), ("device/x", ""), ("brport/x", ""), ("speed", "10000")):
        (root / "sys/class/net/eth0" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/class/net/eth0" / name).write_text(text)
    (root / "sys/class/net/eth0/master").symlink_to("../br0")
    found = [line for line in host_facts(Kernel(root, TICKS), {}, root / "none") if "_config," in line]
    assert "interface_config,bridge=br0,interface=eth0,speed_mbits=10000 known=1i" in found
    (store,) = [line for line in found if line.startswith("path_config")]
    assert store.startswith(f"path_config,device=sda,path={root},size_gib=")


@pytest.mark.parametrize(
    ("device", "disk"),
    [("sda1", "sda"), ("nvme0n1p2", "nvme0n1"), ("md0", "md0"), ("vdb", "vdb"), ("mapper/vg-a", ""), ("nas:/a", "")],
)
def test_the_disk_below_a_file_system(device: str, disk: str) -> None:
    assert Mount(device=device, path="/", kind="ext4", writable=True).disk == disk


def test_without_virsh_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = CliRunner().invoke(app, ["facts", "--connect", "qemu+ssh://kvm9/system"])
    assert isinstance(result.exception, BrownoutError)
    assert "clients" in result.exception.remedy


def test_facts_need_nothing_heavy() -> None:
    code = "import sys, brownout.adapters.hypervisor.facts, brownout.cli; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = ("torch", "prefect", "mlflow", "scipy", "sklearn", "pandas", "httpx", "networkx")
    assert [name for name in heavy if f"'{name}'" in loaded] == []
