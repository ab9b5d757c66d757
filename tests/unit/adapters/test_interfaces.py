"""Interfaces and disks by what the kernel says of them, whatever they are called."""

from pathlib import Path

import pytest

from brownout.adapters.hypervisor.interfaces import Interface, interfaces
from brownout.adapters.hypervisor.kernel import Kernel

ETHERNET = "1"


def card(root: Path, name: str, *folders: str, devtype: str = "", index: int = 5, link: int = 5, **files: str) -> None:
    """An interface as sysfs has it."""
    own = root / "sys/class/net" / name
    own.mkdir(parents=True)
    for folder in folders:
        (own / folder).mkdir(parents=True)
    uevent = f"DEVTYPE={devtype}\nINTERFACE={name}\n" if devtype else f"INTERFACE={name}\n"
    for file, text in {"type": ETHERNET, "uevent": uevent, "ifindex": f"{index}", "iflink": f"{link}", **files}.items():
        (own / file).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    card(tmp_path, "lo", type="772")
    card(tmp_path, "lan", "device")  # a site may call a card as it likes
    card(tmp_path, "tap-uplink", "device")
    card(tmp_path, "bond0", "bonding", devtype="bond")
    card(tmp_path, "bond0.12", "lower_bond0", devtype="vlan", link=7)
    card(tmp_path, "tap0.7", "lower_tap0", devtype="vlan", link=7)
    card(tmp_path, "vmbr0", "bridge", "brif/bond0", "brif/tap0", devtype="bridge")
    card(tmp_path, "office", "bridge", "brif/tap0", devtype="bridge")
    card(tmp_path, "tap0", tun_flags="0x1002")
    card(tmp_path, "guest7", tun_flags="0x1002")
    card(tmp_path, "pod3", link=9)
    card(tmp_path, "mesh", devtype="vxlan")
    card(tmp_path, "br-ex")
    return tmp_path


def test_what_an_interface_is_does_not_depend_on_its_name(root: Path) -> None:
    assert interfaces(root) == {
        "lo": Interface("loopback", own=False),
        "lan": Interface("physical", own=True),
        "tap-uplink": Interface("physical", own=True),
        "bond0": Interface("bond", own=True),
        "bond0.12": Interface("vlan", own=True),
        "tap0.7": Interface("vlan", own=False),
        "vmbr0": Interface("bridge", own=True),
        "office": Interface("bridge", own=False),
        "tap0": Interface("tap", own=False),
        "guest7": Interface("tap", own=False),
        "pod3": Interface("veth", own=False),
        "mesh": Interface("vxlan", own=False),
        "br-ex": Interface("virtual", own=None),
    }


def test_this_machine_has_a_loopback_that_is_not_its_own() -> None:
    assert interfaces()["lo"] == Interface("loopback", own=False)


def test_media_that_can_be_taken_out_or_not_written_hold_no_data(tmp_path: Path) -> None:
    for name, file, text in (
        ("sda", "removable", "0"),
        ("sdb", "removable", "1"),
        ("sdc", "ro", "1"),
        ("sdd", "size", "0"),
        ("loop3", "removable", "0"),
        ("dm-0", "ro", "0"),
    ):
        (tmp_path / "sys/block" / name).mkdir(parents=True)
        (tmp_path / "sys/block" / name / file).write_text(text)
    found = Kernel(tmp_path).block_devices()
    assert found == {"dm-0": True, "loop3": False, "sda": True, "sdb": False, "sdc": False, "sdd": False}
