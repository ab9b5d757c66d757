"""Guests of the lab: libvirt's own daemon, and real QEMUs whose first sector is all that runs in them."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from lab.programs import Programs, ask, wait_for

__all__ = ["Guest", "Libvirt"]

LIVELY = bytes.fromhex(
    "31c0 8ed8 8ed0 bc007c fb"  # no segments, a stack, interrupts on
    "f4 b800b8 8ec0 26fe060000"  # wait for the clock (18 a second), count up the first letter of the screen
    "31c0 8ec0 bb007e b80102 b90200 ba8000 cd13 ebe1"  # read a sector of the disk, again
)
"""A guest that shows something and reads its disk, as one at work does."""
BUSY = bytes.fromhex("ebfe")
"""A guest whose processor never rests."""
SECTOR = 512
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = [ "cpu", "cpuacct" ]
"""
LIBVIRTD_CONF = """listen_tls = 0
auth_unix_rw = "none"
log_outputs = "3:stderr"
"""
DOMAIN = """<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<graphics type='{protocol}' port='{port}' autoport='no' listen='{address}'/>
<video><model type='vga'/></video><memballoon model='virtio'><stats period='2'/></memballoon>{card}</devices></domain>
"""
CARD = "<interface type='bridge'><source bridge='{bridge}'/><model type='virtio'/></interface>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest; one with a bridge has a network card, and is defined, so that it is there when it is off."""

    name: str
    protocol: str = "vnc"
    port: int = 5999
    busy: bool = False
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class Libvirt:
    """A libvirt daemon whose folders lie in the lab's own mount namespace.

    Attributes
    ----------
    address
        Where consoles listen.
    """

    programs: Programs
    store: Path
    address: str

    def start(self, folder: Path) -> None:
        """Hide the machine's own libvirt behind empty folders, and start one."""
        remove_groups()
        for path in ("/run", "/etc/libvirt/qemu", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt"):
            if Path(path).is_dir():
                ask("mount", "-t", "tmpfs", "tmpfs", path)
        (folder / "qemu.conf").write_text(QEMU_CONF)
        (folder / "libvirtd.conf").write_text(LIBVIRTD_CONF)
        ask("mount", "--bind", str(folder / "qemu.conf"), "/etc/libvirt/qemu.conf")
        self.programs.start("libvirtd", "libvirtd", "-f", str(folder / "libvirtd.conf"))
        wait_for(Path("/run/libvirt/libvirt-sock").exists, "libvirtd")

    def boot(self, guest: Guest, number: int) -> None:
        """Create a guest, and wait for its console."""
        code = BUSY if guest.busy else LIVELY
        disk = self.store / f"{guest.name}.raw"
        disk.write_bytes(code.ljust(SECTOR - 2, b"\0") + b"\x55\xaa" + bytes(255 * SECTOR))
        description = self.store / f"{guest.name}.xml"
        description.write_text(
            DOMAIN.format(
                name=guest.name,
                uuid=f"00000000-0000-4000-8000-{number:012d}",
                disk=disk,
                protocol=guest.protocol,
                port=guest.port,
                address=self.address,
                card=CARD.format(bridge=guest.bridge) if guest.bridge else "",
            )
        )
        if not guest.bridge:
            ask("virsh", "create", str(description))
            return
        ask("virsh", "define", str(description))
        ask("virsh", "start", guest.name)

    @staticmethod
    def process(guest: str) -> int:
        """The process of a guest's QEMU."""
        return int(Path(f"/run/libvirt/qemu/{guest}.pid").read_text())

    def stop(self) -> None:
        """Destroy all guests, and take away their control groups."""
        for name in ask("virsh", "list", "--name", strict=False).split():
            ask("virsh", "destroy", name, strict=False)
        self.programs.stop("libvirtd")
        remove_groups()


def remove_groups() -> None:
    """Take away the control groups of guests that are gone: of this run, or of one that was killed."""
    for base in ("/sys/fs/cgroup/cpu/machine", "/sys/fs/cgroup/machine"):
        for path, _, _ in os.walk(base, topdown=False):
            if "libvirt-qemu" in path:
                with contextlib.suppress(OSError):  # one that holds processes stays
                    Path(path).rmdir()
