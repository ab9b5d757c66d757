"""File systems of a host that hold data, as its kernel lists them, and the image files on them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GIB", "Image", "Mount", "image_of", "mounts", "size_gib"]

IGNORED = {
    "tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs", "proc", "sysfs", "cgroup", "cgroup2",
    "mqueue", "devpts", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "configfs", "fusectl", "hugetlbfs",
    "autofs", "binfmt_misc", "nsfs", "rpc_pipefs", "efivarfs", "ramfs", "selinuxfs",
}  # fmt: skip
ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}
"""How /proc/mounts writes what would part its columns."""
PARTITION = re.compile(r"^((?:sd|vd|xvd|hd)[a-z]+|(?:nvme\d+n\d+|mmcblk\d+|md\d+)(?=p?\d*$))(?:p?\d+)?$")
GIB = 2**30
BLOCK = 512
"""Bytes of a block of ``st_blocks``."""
QCOW2, QCOW2_SIZE = b"QFI\xfb", slice(24, 32)
"""How an image of QEMU begins, and where its header has the size that the guest sees (docs/interop/qcow2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file system: what it is on (without /dev/), where, of which kind, and whether it can be written."""

    device: str
    path: str
    kind: str
    writable: bool

    @property
    def disk(self) -> str:
        """The disk below it; empty where that is not one disk, or nothing says."""
        match = PARTITION.fullmatch(self.device)
        return match[1] if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Bytes that the guest sees, and that the file takes now: fewer where it grows as it is written to."""

    size: int
    allocated: int


def mounts(root: Path) -> Iterator[Mount]:
    """Each file system that holds data, once; below a root, which is / but in tests."""
    known_devices: set[str] = set()
    for text in _lines(root / "proc/self/mounts"):
        device, path, kind, options = (_plain(word) for word in text.split()[:4])
        if kind in IGNORED or kind.startswith("fuse.") or device in known_devices:
            continue
        known_devices.add(device)
        writable = "ro" not in options.split(",")
        yield Mount(device=device.removeprefix("/dev/"), path=path, kind=kind, writable=writable)


def size_gib(path: str) -> int:
    """Size of a file system in whole GiB; 0 where it cannot be asked."""
    try:
        room = os.statvfs(path)
    except OSError:
        return 0
    return room.f_frsize * room.f_blocks // GIB


def image_of(file: Path) -> Image | None:
    """Sizes of an image file; None where it is none that can be read."""
    try:
        status = file.stat()
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            head = opened.read(QCOW2_SIZE.stop)
    except OSError:
        return None
    size = int.from_bytes(head[QCOW2_SIZE]) if head.startswith(QCOW2) else status.st_size
    return Image(size=size, allocated=status.st_blocks * BLOCK)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _plain(word: str) -> str:
    for escaped, sign in ESCAPES.items():
        word = word.replace(escaped, sign)
    return word
