"""The kernel of a host: threads, governor, I/O schedulers, processors, what guests started lately."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kernel", "Thread"]

GUEST = re.compile(r"(?:^|\0)guest=((?:[^,\0]|,,)+)")
"""QEMU's name option as libvirt writes it; a comma in the name stands twice."""
DISPLAY = re.compile(r"^(vnc_worker|SPICE Worker)")
REAL_TIME = {"1", "2", "6"}
"""SCHED_FIFO, SCHED_RR, SCHED_DEADLINE."""
NO_DISK = re.compile(r"^(loop|ram|zram|sr|fd|dm-)")
SELF_CHOOSING = {"intel_pstate", "amd-pstate-epp", "amd_pstate_epp"}
"""Drivers whose governor powersave is the usual one and leaves the clock to the processor."""
UTIME, STIME, START, POLICY = 11, 12, 19, 38
"""Places of a thread's figures in /proc/PID/stat after its name: proc(5)."""
JUST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """CPU seconds of the threads of one name since their start; ``guest`` is the guest whose QEMU runs them, if any."""

    name: str
    guest: str
    cpu_seconds: float


@dataclass(frozen=True)
class Kernel:
    """Reads below a root, which is / but in tests."""

    root: Path = Path("/")
    ticks: int = os.sysconf("SC_CLK_TCK")

    def real_time(self) -> tuple[Thread, ...]:
        """Threads of a real-time class, summed by name: a kernel thread has one instance on each CPU."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for thread in self.root.glob("proc/[0-9]*/task/[0-9]*"):
            name, figures = _stat(thread)
            if figures and figures[POLICY] in REAL_TIME:
                seconds[name.partition("/")[0]] += self._seconds(figures)
        return tuple(Thread(name=name, guest="", cpu_seconds=spent) for name, spent in sorted(seconds.items()))

    def displays(self) -> Iterator[Thread]:
        """Threads that encode the screens of guests, numbered where a guest has several of one name."""
        for guest, process in self.guests():
            counts: Counter[str] = Counter()
            for thread in sorted(process.glob("task/[0-9]*"), key=lambda path: int(path.name)):
                name, figures = _stat(thread)
                if figures and DISPLAY.match(name):
                    yield Thread(name=f"{name} {counts[name]}", guest=guest, cpu_seconds=self._seconds(figures))
                    counts[name] += 1

    def guests_started(self) -> int:
        """Guests that started within the last minute."""
        uptime = float(_text(self.root / "proc/uptime").split()[0] or 0)
        figures = [_stat(process)[1] for _, process in self.guests()]
        return sum(uptime - int(fields[START]) / self.ticks < JUST_S for fields in figures if fields)

    def governor(self) -> str:
        """What chooses the clock of most CPUs; "" where nothing does."""
        chosen = Counter(
            _governed(_text(path / "scaling_governor"), _text(path / "scaling_driver"))
            for path in self.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq")
        )
        return chosen.most_common(1)[0][0] if chosen else ""

    def cores(self) -> int:
        """Cores, threads of one counted once."""
        return len(self._siblings("sys/devices/system/cpu/cpu[0-9]*"))

    def cores_a_node(self) -> int:
        """Cores of the smallest NUMA node that has any; 0 where nothing says."""
        nodes = self.root.glob("sys/devices/system/node/node[0-9]*")
        counts = [len(self._siblings(f"{node.relative_to(self.root)}/cpu[0-9]*")) for node in nodes]
        return min((cores for cores in counts if cores), default=0)

    def disks(self) -> Mapping[str, tuple[str, str]]:
        """I/O scheduler and medium (hdd, ssd, nvme) by name of the disk."""
        return {
            path.name: (_scheduler(_text(path / "queue/scheduler")), _medium(path))
            for path in sorted(self.root.glob("sys/block/*"))
            if not NO_DISK.match(path.name)
        }

    def block_devices(self) -> Mapping[str, bool]:
        """Block devices by name, and whether each holds data of the host that can be written and stays in it."""
        return {path.name: _holds_data(path) for path in sorted(self.root.glob("sys/block/*"))}

    def guests(self) -> Iterator[tuple[str, Path]]:
        """Name of each guest, and its process below /proc."""
        for process in (path for path in (self.root / "proc").iterdir() if path.name[0].isdigit()):
            name_option = GUEST.search(_text(process / "cmdline"))
            if name_option:
                yield name_option[1].replace(",,", ","), process

    def _siblings(self, pattern: str) -> set[str]:
        return {_text(cpu / "topology/thread_siblings_list") for cpu in self.root.glob(pattern)} - {""}

    def _seconds(self, figures: list[str]) -> float:
        return (int(figures[UTIME]) + int(figures[STIME])) / self.ticks


def _stat(process: Path) -> tuple[str, list[str]]:
    """Name and figures of a process or thread; none where it is gone by now."""
    head, _, rest = _text(process / "stat").rpartition(")")
    figures = rest.split()
    return head.partition("(")[2], figures if len(figures) > POLICY else []


def _text(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _governed(governor: str, driver: str) -> str:
    return f"{driver} {governor}" if driver in SELF_CHOOSING else governor


def _scheduler(text: str) -> str:
    """The one in brackets of ``[mq-deadline] kyber none``."""
    chosen = re.search(r"\[(.+?)\]", text)
    return chosen[1] if chosen else text


def _holds_data(disk: Path) -> bool:
    unreal = disk.name.startswith(("loop", "ram", "zram")) or (disk / "loop").exists()
    return not unreal and "1" not in (_text(disk / "removable"), _text(disk / "ro")) and _text(disk / "size") != "0"


def _medium(disk: Path) -> str:
    if _text(disk / "queue/rotational") == "1":
        return "hdd"
    return "nvme" if disk.name.startswith("nvme") else "ssd"
