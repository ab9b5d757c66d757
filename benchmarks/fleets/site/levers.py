"""The physical inputs that jobs, operations and faults move; the metrics follow from them."""

from collections.abc import Mapping

import numpy as np

from fleets.site.streams import Floats

__all__ = ["LEVERS", "Levers"]

LEVERS: Mapping[str, float] = {
    # of a host
    "host.cpu_cores": 0,  # cores taken by the host itself
    "host.freq": 1,  # clock beside the nominal one
    "host.throttles": 0,  # thermal throttle events a minute
    "host.demand": 1,  # factor on what all its guests want
    "host.sched_wait": 0,  # waiting for a CPU beside what the queue explains, share of the time wanted
    "host.mem_gib": 0,  # memory taken by the host itself
    "host.stall_ms": 0,  # stalls of all its QEMU processes
    "host.reclaim": 0,  # direct reclaim and compaction, 1/s
    "host.disk_service": 1,  # factor on the disk's service time
    "host.disk_tail_ms": 0,  # latency of single bad requests, mean over all requests
    "host.disk_iops": 0,
    "host.disk_read_kbs": 0,
    "host.disk_write_kbs": 0,
    "host.dirty_pct": 0,
    "host.fill_pct": 0,  # storage used beside the usual
    "host.bad_sectors": 0,
    "host.degraded": 0,
    "host.tx_kbs": 0,
    "host.rx_kbs": 0,
    "host.link_speed": 1,  # factor on the negotiated speed
    "host.slaves_down": 0,
    "host.err_ppm": 0,  # received packets that are broken
    "host.rtt_ms": 0,
    "host.jitter_ms": 0,
    "host.loss": 0,  # chance to lose a packet
    "host.syn_loss": 0,  # chance that a new connection is refused a place in the table
    "host.hops": 0,
    "host.conntrack_pct": 0,
    "host.close_wait": 0,
    "host.clock_ms": 0,
    "host.proxy_ms": 0,
    "host.maintenance": 0,
    # of a guest
    "vm.cpu_cores": 0,
    "vm.quota": 9,  # vCPU quota, share of its vCPUs
    "vm.migration_throttle": 0,  # share of the CPU that auto-converge takes
    "vm.emulator_wait_ms": 0,  # mean wait of the main loop for its quota
    "vm.emulator_throttled": 0,  # share of periods in which the emulator was throttled
    "vm.mem_gib": 0,  # memory used beside the usual
    "vm.balloon": 1,
    "vm.qemu_mib": 0,  # memory of QEMU beside the guest's
    "vm.iops": 0,
    "vm.read_kbs": 0,
    "vm.write_kbs": 0,
    "vm.io_factor": 1,  # factor on the latency that the guest sees
    "vm.system_share": 0,
    "vm.loop_ms_per_iops": 0,  # main loop wait for each request a second
    "vm.tx_kbs": 0,
    "vm.rx_kbs": 0,
    "vm.viewers": 0,
    "vm.encode": 1,  # factor on the time to encode an update
    "vm.update": 1,  # factor on the size of an update
    "vm.screen": 0,  # share of the time in which the screen changes, beside the usual
    "vm.hang": 0,
    "vm.hang_busy": 0,  # a hung guest's vCPUs that spin, share
    "vm.down": 0,
    "vm.migrating": 0,
    "vm.block_job": 0,
}
"""Every lever with its neutral value."""


class Levers:
    """Values ``[host or guest, slot]`` of the levers; an untouched one costs nothing."""

    def __init__(self, hosts: int, guests: int, slots: int) -> None:
        self._rows = {"host": hosts, "vm": guests}
        self._slots = slots
        self._values: dict[str, Floats] = {}

    def get(self, name: str) -> Floats:
        """Values of a lever; where nobody touched it its neutral value as ``[1, 1]``."""
        if name in self._values:
            return self._values[name]
        return np.full((1, 1), LEVERS[name], np.float32)

    def add(self, name: str, row: int, when: slice, values: Floats | float) -> None:
        """Add to a lever whose neutral value is 0."""
        self._array(name)[row, when] += values

    def scale(self, name: str, row: int, when: slice, values: Floats | float) -> None:
        """Multiply a lever whose neutral value is 1."""
        self._array(name)[row, when] *= values

    def cap(self, name: str, row: int, when: slice, values: Floats | float) -> None:
        """Lower a lever to a value where it is above it."""
        array = self._array(name)
        array[row, when] = np.minimum(array[row, when], values)

    def _array(self, name: str) -> Floats:
        if name not in self._values:
            rows = self._rows[name.partition(".")[0]]
            self._values[name] = np.full((rows, self._slots), LEVERS[name], np.float32)
        return self._values[name]

    def copy(self) -> "Levers":
        """An independent copy."""
        other = Levers(self._rows["host"], self._rows["vm"], self._slots)
        other._values = {name: values.copy() for name, values in self._values.items()}
        return other
