"""Processors, load and processes of a host: cpu, system, kernel, processes and pressure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from brownout.adapters.agent.gathered import Sample, read, read_or_none
from brownout.adapters.hypervisor.kernel import Kernel
from brownout.domain.errors import BrownoutError

__all__ = ["CpuUsage", "kernel_counters", "pressure", "processes", "system"]

COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
"""Fields of a CPU's line in /proc/stat: proc(5). Guests' time is in user and nice as well."""
STATES = {
    "R": "running", "S": "sleeping", "D": "blocked", "Z": "zombies", "X": "dead", "T": "stopped", "t": "stopped",
    "W": "paging", "I": "idle",
}  # fmt: skip
STATE, THREADS = 0, 17
"""Places in /proc/PID/stat after the name."""


class CpuUsage:
    """Shares of each processor's time since the last call; the first call has nothing to tell.

    Parameters
    ----------
    root
        Where /proc lies.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "proc/stat"
        self._before: dict[str, list[int]] = {}

    def __call__(self, _now: float) -> Iterator[Sample]:
        """Samples of now."""
        lines = [text.split() for text in read(self._path).splitlines() if text.startswith("cpu")]
        times = {words[0]: [int(word) for word in words[1 : 1 + len(COLUMNS)]] for words in lines}
        before, self._before = self._before, times
        for name, own in times.items():
            if len(before.get(name, ())) == len(own) == len(COLUMNS):
                spent = dict(zip(COLUMNS, (b - a for a, b in zip(before[name], own, strict=True)), strict=True))
                if fields := _shares(spent):
                    yield Sample("cpu", fields, {"cpu": "cpu-total" if name == "cpu" else name})


def system(root: Path) -> Iterator[Sample]:
    """Load, uptime and numbers of processors, all and with the threads of a core counted once."""
    loads = read(root / "proc/loadavg").split()
    processors = sum(1 for text in read(root / "proc/stat").splitlines() if text[:3] == "cpu" and text[3:4].isdigit())
    fields = {f"load{minutes}": float(load) for minutes, load in zip((1, 5, 15), loads, strict=False)}
    uptime = int(float(read(root / "proc/uptime").split()[0]))
    counts = {"uptime": uptime, "n_cpus": processors, "n_physical_cpus": Kernel(root).cores() or processors}
    yield Sample("system", {**fields, **counts})


def kernel_counters(root: Path) -> Iterator[Sample]:
    """Counters of the kernel since the boot."""
    names = {"intr": "interrupts", "ctxt": "context_switches", "processes": "processes_forked", "btime": "boot_time"}
    lines = (text.split(None, 2) for text in read(root / "proc/stat").splitlines())
    fields = {names[words[0]]: int(words[1]) for words in lines if words and words[0] in names}
    entropy = read_or_none(root / "proc/sys/kernel/random/entropy_avail")
    yield Sample("kernel", fields | ({"entropy_avail": int(entropy)} if entropy else {}))


def processes(root: Path) -> Iterator[Sample]:
    """How many processes are in which state."""
    counts: Counter[str] = Counter()
    threads = 0
    for process in (path for path in (root / "proc").iterdir() if path.name[0].isdigit()):
        figures = (read_or_none(process / "stat") or "").rpartition(")")[2].split()
        if len(figures) > THREADS:
            counts[STATES.get(figures[STATE], "unknown")] += 1
            threads += int(figures[THREADS])
    fields = {name: counts[name] for name in (*dict.fromkeys(STATES.values()), "unknown")}
    yield Sample("processes", {**fields, "total": counts.total(), "total_threads": threads})


def pressure(root: Path) -> Iterator[Sample]:
    """Pressure stall information, averages and totals apart as Telegraf has them; a CPU is never fully stalled."""
    folder = root / "proc/pressure"
    if not folder.exists():
        msg = "This kernel has no pressure stall information (/proc/pressure)."
        raise BrownoutError(msg, remedy="Boot it with psi=1 on its command line.")
    for resource in ("cpu", "memory", "io"):
        for text in (read_or_none(folder / resource) or "").splitlines():
            kind, *words = text.split()
            if (resource, kind) == ("cpu", "full"):
                continue
            fields: Mapping[str, str] = dict(word.split("=", 1) for word in words)
            tags = {"resource": resource, "type": kind}
            yield Sample("pressure", {name: float(fields[name]) for name in ("avg10", "avg60", "avg300")}, tags)
            yield Sample("pressure", {"total": int(fields["total"])}, tags)


def _shares(spent: Mapping[str, int]) -> dict[str, float]:
    """Per cent of the time spent; guests' time stands beside that of the host's own programs, not in it."""
    own = {**spent, "user": spent["user"] - spent["guest"], "nice": spent["nice"] - spent["guest_nice"]}
    total = sum(spent[name] for name in COLUMNS[:8])
    return {f"usage_{name}": 100 * value / total for name, value in own.items()} if total > 0 else {}
