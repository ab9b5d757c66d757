"""Faults of memory: leaks, working sets that no longer fit, the balloon, the host that swaps."""

import numpy as np

from fleets.faults.kinds import FaultKind, Impact, Symptom

__all__ = ["MEMORY"]


def _room(impact: Impact) -> float:
    """Memory of the guest that is usually usable, GiB."""
    return impact.vm.mem_gib * impact.usual("vm_memory_usable_pct", impact.guest) / 100


def _leak(impact: Impact) -> None:
    """A program's memory grows until there is nothing left, or nearly."""
    impact.at_guest("mem_gib", _room(impact) * (0.45 + 0.6 * impact.severity) * impact.level / impact.severity)


def _working_set(impact: Impact) -> None:
    """A program needs more than there is."""
    impact.at_guest(
        "mem_gib", (_room(impact) - impact.vm.mem_gib * 0.12 + 0.16 * impact.vm.mem_gib * impact.level) * impact.on
    )


def _balloon(impact: Impact) -> None:
    """The balloon takes what the guest would need; the host has enough."""
    used = 1 - impact.usual("vm_memory_usable_pct", impact.guest) / 100
    tight = np.clip(used * (1.16 - 0.2 * impact.level), 0.1, 1)
    impact.levers.scale("vm.balloon", impact.guest, impact.when, np.where(impact.on > 0, tight, 1).astype(np.float32))


def _host_memory(impact: Impact) -> None:
    """A program on the host takes what was available, and a little more."""
    share = impact.usual("host_memory_available_pct", impact.host) / 100
    level = impact.level / impact.severity
    impact.at_host("mem_gib", impact.hypervisor.ram_gib * (share - 0.085 + 0.13 * impact.severity) * level)


def _qemu_leak(impact: Impact) -> None:
    """QEMU itself grows, slowly."""
    impact.at_guest("qemu_mib", 9000 * impact.level)


MEMORY = (
    FaultKind(
        name="guest-leak", cause="LEAK-01", family="memory", target="vm", act=_leak, shapes=("ramp",), hours=(10, 60),
        ramp="vm_memory_usable_pct", also=("CONT-05",),
        shows=(Symptom(metric="vm_memory_usable_pct", worse="down"),),
    ),
    FaultKind(
        name="guest-swaps", cause="CONT-05", family="memory", target="vm", act=_working_set,
        shapes=("step", "intermittent"), hours=(1, 12),
        shows=(Symptom(metric="vm_memory_usable_pct", worse="down"), Symptom(metric="vm_swap_kbs")),
    ),
    FaultKind(
        name="balloon-too-tight", cause="VIRT-19", family="memory", target="vm", act=_balloon, hours=(2, 24),
        shows=(Symptom(metric="vm_balloon_ratio", worse="down"), Symptom(metric="vm_memory_usable_pct", worse="down")),
    ),
    FaultKind(
        name="host-swaps", cause="CONT-04", family="memory", target="host", act=_host_memory,
        shapes=("ramp", "step"), hours=(2, 14), ramp="host_memory_available_pct", also=("HW-03",),
        shows=(Symptom(metric="host_memory_available_pct", worse="down"), Symptom(metric="host_swap_kbs")),
    ),
    FaultKind(
        name="qemu-leak", cause="LEAK-02", family="memory", target="vm", act=_qemu_leak, shapes=("ramp",),
        hours=(30, 110), shows=(Symptom(metric="vm_qemu_extra_mib"),),
    ),
)  # fmt: skip
