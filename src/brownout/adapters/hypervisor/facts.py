"""Facts: what libvirt, QEMU and the kernel know and no input of Telegraf writes, as line protocol for ``inputs.exec``.

Imports nothing but what reads and writes text: it runs every minute on hosts where the rest need not be installed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brownout.adapters.hypervisor.interfaces import interfaces
from brownout.adapters.hypervisor.kernel import Kernel, Thread
from brownout.adapters.hypervisor.mounts import GIB, image_of, mounts, size_gib
from brownout.adapters.hypervisor.virsh import Guest, Virsh
from brownout.domain.errors import BrownoutError
from brownout.ingest.line_protocol import Points, encode
from brownout.ingest.mapping import LABELLED

__all__ = ["guest_facts", "host_facts"]

OWN = "own"
"""Field of what is the host's own (1), or a guest's, an overlay's, removable or read-only (0)."""
MOST_VCPUS_A_CORE = 16
LOG_TAIL = 65_536
"""Bytes of a guest's log in which the verdict on its link is looked for."""
VERDICT, SLOW = "net test:", "LOW BANDWIDTH"
"""What spice-server writes, with its debugging on, when a client connects."""

Tags = Mapping[str, str]


def guest_facts(
    virsh: Virsh, tags: Tags, kernel: Kernel | None, complain: Callable[[BrownoutError], None]
) -> Iterator[str]:
    """Lines of ``vm_config`` and ``vm_state``; of ``host_config`` too where the host's kernel can be asked.

    There a libvirt that does not answer is only complained about: Telegraf drops what a command printed that fails.
    """
    try:
        guests = list(virsh.guests(complain))
    except BrownoutError as error:
        if kernel is None:
            raise
        complain(error)
        guests = []
    oversize = kernel.cores_a_node() if kernel else 0
    for guest in guests:
        labels = dict(guest.labels)
        if oversize:
            labels["oversized"] = "yes" if guest.vcpus > oversize else "no"
        if kernel:
            labels |= _image(kernel.root, labels.get("disk_path", ""))
        own = {**tags, "domain_name": guest.name}
        yield from _line("vm_config", {**own, **labels}, {LABELLED: 1})
        if state := _state(guest, kernel):
            yield from _line("vm_state", own, state)
    if kernel:
        labels = {"governor": kernel.governor(), "vcpus_per_core": _overcommitment(guests, kernel.cores())}
        yield from _line("host_config", {**tags, **labels}, {LABELLED: 1})


def host_facts(kernel: Kernel, tags: Tags, announcement: Path) -> Iterator[str]:
    """Lines of ``host_state``, ``disk_config``, ``interface_config``, ``path_config`` and the threads' two.

    Maintenance is announced by a file that is there.
    """
    state = {"vm_starts": kernel.guests_started(), "maintenance": int(announcement.exists())}
    yield from _line("host_state", tags, state)
    for name, (scheduler, medium) in kernel.disks().items():
        yield from _line("disk_config", {**tags, "name": name, "scheduler": scheduler, "medium": medium}, {LABELLED: 1})
    for name, holds_data in kernel.block_devices().items():
        yield from _line("disk_config", {**tags, "name": name}, {OWN: int(holds_data)})
    for name, interface in interfaces(kernel.root).items():
        if interface.own is not None:
            named = {**tags, "interface": name, "type": interface.kind}
            yield from _line("interface_config", named, {OWN: int(interface.own)})
        if interface.own and interface.bridge:
            uplink = {"interface": name, "bridge": interface.bridge, "speed_mbits": interface.speed_mbits}
            yield from _line("interface_config", {**tags, **uplink}, {LABELLED: 1})
    for mount in mounts(kernel.root):
        if mount.writable and (size := size_gib(mount.path)):
            labels = {"path": mount.path, "size_gib": str(size), "device": mount.disk}
            yield from _line("path_config", {**tags, **labels}, {LABELLED: 1})
    for thread in kernel.real_time():
        yield from _line("rt_thread", {**tags, "thread": thread.name}, _seconds(thread))
    for thread in kernel.displays():
        own = {**tags, "domain_name": thread.guest, "thread": thread.name}
        yield from _line("qemu_thread", own, _seconds(thread))


def _image(root: Path, path: str) -> dict[str, str]:
    """Labels of the size of a guest's first image: GiB that it may take, and the share that it takes, to ten percent.

    Rounded, because each other value begins a new series.
    """
    image = image_of(root / path.lstrip("/")) if path else None
    if image is None or not image.size:
        return {}
    filled = min(max(math.ceil(10 * image.allocated / image.size) * 10, 10), 100)
    return {"disk_gib": str(max(math.ceil(image.size / GIB), 1)), "disk_filled_pct": str(filled)}


def _state(guest: Guest, kernel: Kernel | None) -> dict[str, int]:
    known = {"migrating": guest.migrating, "block_job": guest.block_job, "agent": guest.agent}
    fields = {name: int(value) for name, value in known.items() if value is not None}
    verdict = _verdict(kernel.root / "var/log/libvirt/qemu" / f"{guest.name}.log") if kernel else None
    return fields if verdict is None else fields | {"low_bandwidth": verdict}


def _verdict(log: Path) -> int | None:
    """Whether the latest client's link was judged slow; None where the log says nothing of it."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - LOG_TAIL, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    verdicts = [line for line in lines if VERDICT in line]
    return int(SLOW in verdicts[-1]) if verdicts else None


def _overcommitment(guests: Sequence[Guest], cores: int) -> str:
    """How many vCPUs there are a core, to the next whole number."""
    wanted = sum(guest.vcpus for guest in guests)
    return str(min(round(wanted / cores), MOST_VCPUS_A_CORE)) if cores and wanted else ""


def _seconds(thread: Thread) -> dict[str, float]:
    return {"cpu_seconds": thread.cpu_seconds}


def _line(measurement: str, tags: Tags, fields: Mapping[str, float]) -> Iterator[str]:
    """One line without a time: Telegraf gives it that of the gathering."""
    columns: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]] = {
        name: np.array([value], np.int64) if isinstance(value, int) else np.array([value], np.float64)
        for name, value in fields.items()
    }
    points = Points(
        measurement=measurement, tags=[tags], series=np.zeros(1, np.int64), times=np.zeros(1, np.int64), fields=columns
    )
    yield from (line.removesuffix(" 0") for line in encode(points).to_pylist())
