"""Guests as the kernel sees them: procstat, cgroup and the main loop of each QEMU."""

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from brownout.adapters.agent.gathered import Sample, Value, read_or_none
from brownout.adapters.hypervisor.kernel import Kernel

__all__ = ["GuestProcesses"]

SCOPE = re.compile(r"machine-qemu(?:-|\\x2d)\d+(?:-|\\x2d).+?\.scope|qemu\.slice/\d+\.scope")
"""A control group whose name says which guest it is of."""
STATES = {"R": "running", "S": "sleep", "D": "blocked", "Z": "zombie", "T": "stop", "t": "stop", "I": "idle"}
STATE, PARENT, MINOR, CHILD_MINOR, MAJOR, CHILD_MAJOR, UTIME, STIME, THREADS, START, VSIZE, RSS, IO_WAIT = (
    0, 1, 7, 8, 9, 10, 11, 12, 17, 19, 20, 21, 39,
)  # fmt: skip
"""Places in /proc/PID/stat after the name: proc(5)."""
IO = {
    "rchar": "read_bytes", "wchar": "write_bytes", "syscr": "read_count", "syscw": "write_count",
    "read_bytes": "disk_read_bytes", "write_bytes": "disk_write_bytes",
}  # fmt: skip
SWITCHES = {"voluntary_ctxt_switches": "voluntary", "nonvoluntary_ctxt_switches": "involuntary"}


@dataclass(frozen=True, slots=True)
class _Spent:
    now: float
    seconds: float


class GuestProcesses:
    """Samples of each guest's QEMU; the share of a core needs a call before.

    Parameters
    ----------
    kernel
        Where /proc and /sys lie, and how long a tick is.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._root = kernel.root
        self._before: dict[Path, _Spent] = {}
        self._boot, self._memory = 0, 0

    def __call__(self, now: float) -> Iterator[Sample]:
        """Samples of now."""
        self._boot = self._boot or _boot(self._root)
        self._memory = self._memory or _memory(self._root)
        spent: dict[Path, _Spent] = {}
        for guest, process in self._kernel.guests():
            group = _group(process)
            tags = {"cgroup": group} if SCOPE.search(group) else {"domain_name": guest}
            figures = _stat(process)
            if not figures:
                continue
            seconds = (int(figures[UTIME]) + int(figures[STIME])) / self._kernel.ticks
            spent[process] = _Spent(now, seconds)
            own = {**tags, "process_name": _program(process)}
            yield Sample("procstat", self._fields(process, figures) | self._share(process, spent[process]), own)
            yield from self._throttled(process, tags)
            yield from _main_loop(process, guest)
        self._before = spent

    def _fields(self, process: Path, figures: list[str]) -> dict[str, Value]:
        ticks = self._kernel.ticks
        resident = int(figures[RSS]) * os.sysconf("SC_PAGE_SIZE")
        status = _pairs(process / "status")
        fields: dict[str, Value] = {
            "pid": int(process.name), "ppid": int(figures[PARENT]), "num_threads": int(figures[THREADS]),
            "status": STATES.get(figures[STATE], "unknown"), "user": _user(status.get("Uid", "0").split()[0]),
            "created_at": (self._boot * ticks + int(figures[START])) * (10**9 // ticks),
            "cpu_time_user": int(figures[UTIME]) / ticks, "cpu_time_system": int(figures[STIME]) / ticks,
            "cpu_time_iowait": int(figures[IO_WAIT]) / ticks if len(figures) > IO_WAIT else 0.0,
            "memory_rss": resident, "memory_vms": int(figures[VSIZE]),
            "memory_usage": 100 * resident / self._memory if self._memory else 0.0,
            "memory_swap": 1024 * int(status.get("VmSwap", "0").split()[0]),
            "minor_faults": int(figures[MINOR]), "major_faults": int(figures[MAJOR]),
            "child_minor_faults": int(figures[CHILD_MINOR]), "child_major_faults": int(figures[CHILD_MAJOR]),
        }  # fmt: skip
        fields |= {f"{SWITCHES[n]}_context_switches": int(status[n]) for n in SWITCHES if n in status}
        moved = _pairs(process / "io")
        fields |= {IO[name]: int(value) for name, value in moved.items() if name in IO}
        return fields | _open_files(process)

    def _share(self, process: Path, spent: _Spent) -> dict[str, Value]:
        before = self._before.get(process)
        if before is None or spent.now <= before.now or spent.seconds < before.seconds:
            return {}
        return {"cpu_usage": 100 * (spent.seconds - before.seconds) / (spent.now - before.now)}

    def _throttled(self, process: Path, tags: Mapping[str, str]) -> Iterator[Sample]:
        """``cpu.stat`` of the guest's control group and of those below it; libvirt puts vCPUs and emulator apart."""
        group = _group(process)
        if not group:
            return
        for base in ("sys/fs/cgroup", "sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"):
            # libvirt moves the main thread into the group of the emulator: its siblings are those of the vCPUs.
            top = self._root / base / (group.removesuffix("/emulator"))
            stats = [path for path in (top / "cpu.stat", *sorted(top.glob("*/cpu.stat"))) if path.exists()]
            for path in stats:
                pairs = (text.split() for text in (read_or_none(path) or "").splitlines())
                fields = {f"cpu.stat.{pair[0]}": int(pair[1]) for pair in pairs if len(pair) == 2}
                own = {key: value for key, value in tags.items() if key != "cgroup"}
                yield Sample("cgroup", fields, {"path": f"/{path.parent.relative_to(self._root)}", **own})
            if stats:
                return


def _main_loop(process: Path, guest: str) -> Iterator[Sample]:
    """Time that QEMU's main thread ran and waited for a CPU: the loop that answers a console."""
    words = (read_or_none(process / "task" / process.name / "schedstat") or "").split()
    if len(words) == 3:
        seconds = {"cpu_seconds": int(words[0]) / 1e9, "delay_seconds": int(words[1]) / 1e9}
        yield Sample("qemu_main_loop", seconds, {"domain_name": guest})


def _stat(process: Path) -> list[str]:
    """The fields of /proc/PID/stat after the name; empty where the process is gone."""
    figures = (read_or_none(process / "stat") or "").rpartition(")")[2].split()
    return figures if len(figures) > RSS else []


def _program(process: Path) -> str:
    """The program's name in full: the kernel's own ends after 15 letters."""
    return (read_or_none(process / "cmdline") or "").partition("\0")[0].rpartition("/")[2]


def _pairs(path: Path) -> dict[str, str]:
    lines = (text.split(":", 1) for text in (read_or_none(path) or "").splitlines() if ":" in text)
    return {name: value.strip() for name, value in lines}


def _group(process: Path) -> str:
    """The control group that holds the process, of version 2 or else the one for CPU time; "" where there is none."""
    group = ""
    for text in (read_or_none(process / "cgroup") or "").splitlines():
        _, controllers, path = text.split(":", 2)
        if "cpu" in controllers.split(",") or (not controllers and not group):
            group = path.strip("/")
    return group


def _open_files(process: Path) -> dict[str, Value]:
    try:
        return {"num_fds": len(os.listdir(process / "fd"))}  # noqa: PTH208 - twice as quick, for each guest
    except OSError:
        return {}


def _boot(root: Path) -> int:
    lines = (read_or_none(root / "proc/stat") or "").splitlines()
    return next((int(text.split()[1]) for text in lines if text.startswith("btime ")), 0)


def _memory(root: Path) -> int:
    return 1024 * int(_pairs(root / "proc/meminfo").get("MemTotal", "0").split()[0])


@lru_cache
def _user(number: str) -> str:
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, ValueError):
        return number
