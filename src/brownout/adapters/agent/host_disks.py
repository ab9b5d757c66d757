"""Disks and file systems of a host: diskio and disk."""

import os
from collections.abc import Iterator
from pathlib import Path

from brownout.adapters.agent.gathered import Sample, read
from brownout.adapters.hypervisor.mounts import mounts

__all__ = ["DiskCounters", "file_systems"]

SECTOR = 512
FIELDS = {
    "reads": 3, "merged_reads": 4, "read_time": 6, "writes": 7, "merged_writes": 8, "write_time": 10,
    "iops_in_progress": 11, "io_time": 12, "weighted_io_time": 13,
}  # fmt: skip
"""Places in a line of /proc/diskstats: Documentation/admin-guide/iostats.rst. Times are milliseconds."""
READ_SECTORS, WRITTEN_SECTORS = 5, 9


class DiskCounters:
    """Counters of each disk that ever did anything, and means over the time since the last call.

    ``io_await`` and ``io_svctm`` are missing where nothing was read or written since then, all three at the first call.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "proc/diskstats"
        self._before: dict[str, tuple[float, dict[str, int]]] = {}

    def __call__(self, now: float) -> Iterator[Sample]:
        """Samples of now."""
        counters: dict[str, tuple[float, dict[str, int]]] = {}
        for text in read(self._path).splitlines():
            words = text.split()
            if len(words) < 14 or not any(int(word) for word in words[3:]):
                continue
            fields = {name: int(words[column]) for name, column in FIELDS.items()}
            fields["read_bytes"] = SECTOR * int(words[READ_SECTORS])
            fields["write_bytes"] = SECTOR * int(words[WRITTEN_SECTORS])
            counters[words[2]] = now, fields
        before, self._before = self._before, counters
        for name, (_, fields) in counters.items():
            yield Sample("diskio", {**fields, **_means(before.get(name), fields, now)}, {"name": name})


def file_systems(root: Path) -> Iterator[Sample]:
    """Room in each file system that holds data; one that lies on a server which is gone waits for it."""
    for mount in mounts(root):
        mode = "rw" if mount.writable else "ro"
        tags = {"path": mount.path, "device": mount.device, "fstype": mount.kind, "mode": mode}
        try:
            room = os.statvfs(mount.path)
        except OSError:
            continue
        if room.f_blocks:
            yield Sample("disk", _room(room), tags)


def _means(before: tuple[float, dict[str, int]] | None, fields: dict[str, int], now: float) -> dict[str, float]:
    if before is None or now <= before[0]:
        return {}
    done = {name: value - before[1][name] for name, value in fields.items()}
    operations = done["reads"] + done["writes"]
    if min(operations, done["io_time"]) < 0:
        return {}
    means = {"io_util": 100 * done["io_time"] / (1000 * (now - before[0]))}
    if operations:
        means["io_await"] = (done["read_time"] + done["write_time"]) / operations
        means["io_svctm"] = done["io_time"] / operations
    return means


def _room(room: os.statvfs_result) -> dict[str, int | float]:
    used, free = room.f_frsize * (room.f_blocks - room.f_bfree), room.f_frsize * room.f_bavail
    inodes = room.f_files - room.f_ffree
    return {
        "total": room.f_frsize * room.f_blocks, "free": free, "used": used,
        "used_percent": 100.0 * used / (used + free) if used + free else 0.0,
        "inodes_total": room.f_files, "inodes_free": room.f_ffree, "inodes_used": inodes,
        "inodes_used_percent": 100.0 * inodes / room.f_files if room.f_files else 0.0,
    }  # fmt: skip
