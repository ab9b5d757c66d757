"""The agent's rounds: every gatherer at its pace, and what cannot be read said once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brownout.adapters.agent.domain_stats import GROUPS, domain_samples
from brownout.adapters.agent.gathered import Gather, Sample, line
from brownout.adapters.agent.guest_processes import GuestProcesses
from brownout.adapters.agent.host_disks import DiskCounters, file_systems
from brownout.adapters.agent.host_memory import kernel_vmstat, mem, swap
from brownout.adapters.agent.host_network import conntrack, net, netstat, nstat
from brownout.adapters.agent.host_processor import CpuUsage, kernel_counters, pressure, processes, system
from brownout.adapters.agent.patient import Patient
from brownout.adapters.hypervisor.facts import guest_facts, host_facts
from brownout.adapters.hypervisor.kernel import Kernel
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.domain.errors import BrownoutError

__all__ = ["HostAgent", "host_agent"]

ROOM_S, FACTS_S = 60.0, 60.0
"""Seconds between two looks at file systems, and at configuration."""
SLACK_S = 1.0
"""A round that is this much early still is the next one."""
PATIENCE_S, LONG_S = 2.0, 4.0
"""Seconds for file systems, and for libvirt."""

Complain = Callable[[BrownoutError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A gatherer of lines without a time.

    ``every_s`` are seconds between two calls, 0 = each round; ``rates`` says whether it compares with its last call.
    """

    name: str
    gather: Callable[[float], Iterable[str]]
    every_s: float = 0.0
    rates: bool = False


@dataclass(slots=True)
class HostAgent:
    """Gathers all that is due, a round at a time.

    Parameters
    ----------
    complain
        Told of what cannot be read, once for as long as that stays so.
    """

    parts: Sequence[_Part]
    complain: Complain
    _failing_parts: set[str] = field(default_factory=set)
    _due: dict[str, float] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Take the first of two looks at what is told as a rate."""
        for part in self.parts:
            if part.rates:
                list(self._lines(part, now))

    def round(self, now: float, time: int) -> list[str]:
        """Lines of all that is due, with that time; ``now`` are seconds of a clock that never goes back."""
        return [f"{text} {time}" for part in self.parts if self._is_due(part, now) for text in self._lines(part, now)]

    def _is_due(self, part: _Part, now: float) -> bool:
        if now < self._due.get(part.name, now):
            return False
        self._due[part.name] = now + part.every_s - SLACK_S if part.every_s else now
        return True

    def _lines(self, part: _Part, now: float) -> Iterator[str]:
        try:
            yield from filter(None, part.gather(now))
        except BrownoutError as error:
            if part.name not in self._failing_parts:
                self._failing_parts.add(part.name)
                self.complain(error)
        else:
            self._failing_parts.discard(part.name)


def host_agent(*, host: str, kernel: Kernel, virsh: Virsh, announcement: Path, complain: Complain) -> HostAgent:
    """An agent of this machine; ``host`` is the tag that names it, ``announcement`` the file of a maintenance."""
    root, tags = kernel.root, {"host": host}
    compared: dict[str, Gather] = {
        "cpu": CpuUsage(root),
        "diskio": DiskCounters(root),
        "processes of guests": GuestProcesses(kernel),
    }
    parts = [_Part(name=name, gather=_tagged(gather, tags), rates=True) for name, gather in compared.items()]
    plain = (system, kernel_counters, processes, pressure, mem, swap, kernel_vmstat, net, netstat, nstat, conntrack)
    parts += [_Part(name=read.__name__, gather=_tagged(_each_round(read, root), tags)) for read in plain]
    once = _Once(complain)
    waiting = (
        ("file systems", lambda: _lines(file_systems(root), tags), ROOM_S, PATIENCE_S),
        ("libvirt", lambda: _lines(domain_samples(virsh.statistics(GROUPS)), tags), 0.0, LONG_S),
        ("facts of the host", lambda: host_facts(kernel, tags, announcement), FACTS_S, LONG_S),
        ("facts of guests", lambda: guest_facts(virsh, tags, kernel, once), FACTS_S, LONG_S),
    )
    for name, ask, every_s, seconds in waiting:
        parts.append(_Part(name=name, gather=Patient(ask, name=name, seconds=seconds), every_s=every_s))
    return HostAgent(parts, complain)


class _Once:
    """Passes each complaint on once."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._reported_errors: set[str] = set()

    def __call__(self, error: BrownoutError) -> None:
        if error.what not in self._reported_errors:
            self._reported_errors.add(error.what)
            self._complain(error)


def _each_round(read: Callable[[Path], Iterable[Sample]], root: Path) -> Gather:
    return lambda _: read(root)


def _tagged(gather: Gather, tags: Mapping[str, str]) -> Callable[[float], Iterator[str]]:
    return lambda now: _lines(gather(now), tags)


def _lines(samples: Iterable[Sample], tags: Mapping[str, str]) -> Iterator[str]:
    return (line(sample, tags) for sample in samples)
