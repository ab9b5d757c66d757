"""The path between users and consoles: two network namespaces, and what a bad line between them does to packets."""

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.programs import ask

__all__ = ["HERE", "NAMESPACE", "THERE", "Link", "Quality"]

THERE, HERE = "10.77.0.1", "10.77.0.2"
"""The hypervisor's address, and that of the machine that probes it."""
NAMESPACE = "users"
SET_INTERFACE, TUN, NO_HEADER = 0x400454CA, 0x0001, 0x1000
"""linux/if_tun.h."""
LARGEST = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What each packet meets, each way: seconds that it takes, share that is lost, bytes a second that pass."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    lost: float = 0.0
    bytes_per_s: float = 0.0


class Link:
    """Hands packets from one namespace to the other; TCP on both sides is the kernel's own.

    Parameters
    ----------
    seed
        Of what is drawn for each packet.
    """

    def __init__(self, seed: int) -> None:
        self.quality = Quality()
        self._draw = random.Random(seed)
        self._ends: tuple[int, int] = (-1, -1)
        self._due: list[tuple[float, int, int, bytes]] = []
        self._free = [0.0, 0.0]
        self._last = [0.0, 0.0]
        self._number = 0

    def start(self) -> None:
        """Make both ends and begin to hand over."""
        Path("/run/netns").mkdir(parents=True, exist_ok=True)
        ask("ip", "link", "set", "lo", "up")
        ask("ip", "netns", "add", NAMESPACE)
        self._ends = (_tun("lab0"), _tun("lab1"))
        ask("ip", "link", "set", "lab1", "netns", NAMESPACE)
        within = ("ip", "netns", "exec", NAMESPACE)
        for prefix, device, own, other in (((), "lab0", THERE, HERE), (within, "lab1", HERE, THERE)):
            ask(*prefix, "ip", "address", "add", own, "peer", other, "dev", device)
            ask(*prefix, "ip", "link", "set", device, "up")
        ask(*within, "ip", "link", "set", "lo", "up")
        threading.Thread(target=self._run, name="link", daemon=True).start()

    def _run(self) -> None:
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 1.0
            ready, _, _ = select.select(self._ends, [], [], wait)
            for end in ready:
                self._take(self._ends.index(end), os.read(end, LARGEST))
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, side, packet = heapq.heappop(self._due)
                os.write(self._ends[1 - side], packet)

    def _take(self, side: int, packet: bytes) -> None:
        quality = self.quality
        if self._draw.random() < quality.lost:
            return
        now = time.monotonic()
        at = now + max(0.0, quality.delay_s + quality.jitter_s * self._draw.uniform(-1, 1))
        if quality.bytes_per_s:
            self._free[side] = max(self._free[side], now) + len(packet) / quality.bytes_per_s
            at = max(at, self._free[side])
        self._last[side] = at = max(at, self._last[side])  # packets keep their order
        self._number += 1
        heapq.heappush(self._due, (at, self._number, side, packet))


def _tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, SET_INTERFACE, struct.pack("16sH22x", name.encode(), TUN | NO_HEADER))
    return end
