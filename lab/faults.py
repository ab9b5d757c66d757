"""Faults and harmless events that the lab knows, and a schedule of them."""

import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import kill
from pathlib import Path
from typing import Protocol

from lab.guests import Libvirt
from lab.link import Link, Quality
from lab.programs import Programs, ask

__all__ = ["FAULTS", "HARMLESS", "Bench", "Injection", "Kind", "schedule"]

FAULT_S, REST_S, LEAD_S = 28.0, 20.0, 60.0
"""Seconds of a fault, of the quiet after it, and of the quiet before the first."""
HOST, LINK, DISK = "kvm1", "users>kvm1", "kvm1/vda"
NOISY = "noisy"


class Bench(Protocol):
    """What faults act on."""

    libvirt: Libvirt
    link: Link
    programs: Programs


Act = Callable[[Bench, str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    cause
        Causes that it is rightly told as; the first stands in the truth. Empty = harmless.
    entity
        What is to blame; "{guest}" for the guest that it befalls.
    """

    name: str
    cause: tuple[str, ...]
    entity: str
    begin: Act
    end: Act | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault of the schedule: seconds from its begin."""

    kind: Kind
    guest: str
    start_s: float
    end_s: float


def schedule(seconds: float, seed: int, guests: Sequence[str]) -> list[Injection]:
    """Every kind in an order of its own, then again, each at a guest that is drawn, until the time is over."""
    draw = random.Random(seed)
    planned: list[Injection] = []
    kinds: list[Kind] = []
    at = LEAD_S
    while at + FAULT_S + REST_S / 2 <= seconds:
        if not kinds:
            kinds = draw.sample([*FAULTS, *HARMLESS], len(FAULTS) + len(HARMLESS))
        planned.append(Injection(kind=kinds.pop(), guest=draw.choice(guests), start_s=at, end_s=at + FAULT_S))
        at += FAULT_S + REST_S + draw.uniform(0, 4)
    return planned


def _quality(**of: float) -> Act:
    def begin(bench: Bench, _guest: str) -> None:
        bench.link.quality = Quality(**of)

    return begin


def _clear(bench: Bench, _guest: str) -> None:
    bench.link.quality = Quality()


def _quota(name: str, microseconds: int) -> Act:
    def begin(bench: Bench, guest: str) -> None:  # noqa: ARG001 - libvirt has what there is of the bench
        ask("virsh", "schedinfo", guest, "--live", "--set", f"{name}={microseconds}")

    return begin


class _Stalls:
    """QEMU stopped for 1.2 s of every 1.6 s, as by a storage call in its main loop or a debugger."""

    STOPPED_S, RUNNING_S = 1.2, 0.4

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, bench: Bench, guest: str) -> None:
        """Stall until ``end``."""
        self._over.clear()
        self._thread = threading.Thread(target=self._stall, args=(bench.libvirt.process(guest),), daemon=True)
        self._thread.start()

    def end(self, _bench: Bench, _guest: str) -> None:
        """Let it run again."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _stall(self, process: int) -> None:
        while not self._over.is_set():
            with _stopped(process):
                self._over.wait(self.STOPPED_S)
            self._over.wait(self.RUNNING_S)


@contextmanager
def _stopped(process: int) -> Iterator[None]:
    kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(process, signal.SIGCONT)


def _program(*command: str) -> tuple[Act, Act]:
    def begin(bench: Bench, _guest: str) -> None:
        bench.programs.start("fault", *(word.format(store=bench.libvirt.store) for word in command))

    return begin, lambda bench, _guest: bench.programs.stop("fault")


def _virsh(*words: str) -> Act:
    return lambda _bench, guest: ask("virsh", *(word.format(guest=guest) for word in words))


def _wake_neighbours(*, awake: bool) -> Act:
    def act(bench: Bench, _guest: str) -> None:  # noqa: ARG001 - as above
        for name in ask("virsh", "list", "--name").split():
            if name.startswith(NOISY):
                ask("virsh", "resume" if awake else "suspend", name)

    return act


def _read_image(bench: Bench, guest: str) -> bytes:
    return Path(bench.libvirt.store / f"{guest}.raw").read_bytes()


STALLS = _Stalls()
FAULTS = (
    Kind(
        name="emulator stalls", cause=("VIRT-04", "VIRT-11", "SW-06"), entity="{guest}",
        begin=STALLS.begin, end=STALLS.end,
    ),
    Kind(
        name="emulator quota", cause=("VIRT-04",), entity="{guest}",
        begin=_quota("emulator_quota", 3_000), end=_quota("emulator_quota", -1),
    ),
    Kind(
        name="guest quota", cause=("VIRT-04",), entity="{guest}",
        begin=_quota("global_quota", 3_000), end=_quota("global_quota", -1),
    ),
    Kind(
        name="noisy neighbours", cause=("CONT-01", "HW-01", "VIRT-01"), entity=HOST,
        begin=_wake_neighbours(awake=True), end=_wake_neighbours(awake=False),
    ),
    Kind(
        name="host busy", cause=("HW-01", "VIRT-01"), entity=HOST,
        begin=_program("stress-ng", "--cpu", "8")[0], end=_program("stress-ng")[1],
    ),
    Kind(
        name="disk busy", cause=("HW-05", "HW-04", "CONT-02", "CONT-07"), entity=DISK,
        begin=_program("stress-ng", "--hdd", "2", "--hdd-opts", "direct", "--temp-path", "{store}")[0],
        end=_program("stress-ng")[1],
    ),
    Kind(name="long path", cause=("NET-01",), entity=LINK, begin=_quality(delay_s=0.06), end=_clear),
    Kind(name="jitter", cause=("NET-04",), entity=LINK, begin=_quality(delay_s=0.03, jitter_s=0.03), end=_clear),
    Kind(name="loss", cause=("NET-03",), entity=LINK, begin=_quality(lost=0.08), end=_clear),
    Kind(name="narrow path", cause=("NET-02",), entity=LINK, begin=_quality(bytes_per_s=150_000), end=_clear),
)  # fmt: skip
HARMLESS = (
    Kind(name="restart", cause=(), entity="{guest}", begin=_virsh("reset", "{guest}")),
    Kind(
        name="paused", cause=(), entity="{guest}", begin=_virsh("suspend", "{guest}"), end=_virsh("resume", "{guest}")
    ),
    Kind(name="backup", cause=(), entity="{guest}", begin=_read_image),
)
