"""Faults of CPUs: too much demand, a neighbour, quotas, heat, housekeeping."""

import numpy as np

from fleets.faults.kinds import FaultKind, Impact, Symptom

__all__ = ["COMPUTE"]


def _saturate(impact: Impact) -> None:
    """All guests want more at once, and the host's own work too, until its queue is at 0.9 to 1.3."""
    load = np.maximum(impact.healthy["host_cpu_busy_pct"][impact.host, impact.when] / 100, 0.05)
    missing = np.maximum(0.82 + 0.5 * impact.level - load, 0) * impact.on
    impact.levers.scale("host.demand", impact.host, impact.when, 1 + 0.4 * missing / load)
    impact.at_host("cpu_cores", 0.75 * missing * impact.hypervisor.cores)


def _neighbour(impact: Impact) -> None:
    """A guest takes all its vCPUs in many short pieces: the others wait though the host is not full."""
    impact.at_guest("cpu_cores", impact.vm.vcpus * (0.6 + 0.4 * impact.level) * impact.on)
    impact.at_host("sched_wait", 0.75 * impact.level)


def _busy_guest(impact: Impact) -> None:
    """A guest's own programs take its vCPUs and redraw its screen."""
    impact.at_guest("cpu_cores", impact.vm.vcpus * (0.45 + 0.55 * impact.level) * impact.on)
    impact.at_guest("screen", 0.5 * impact.level)


def _vcpu_quota(impact: Impact) -> None:
    """A quota below what the guest wants."""
    used = max(impact.usual("vm_cpu_pct", impact.guest) / 100, 0.03)
    impact.levers.cap(
        "vm.quota", impact.guest, impact.when, np.where(impact.on > 0, used * (1.05 - 0.75 * impact.severity), 9)
    )


def _emulator_quota(impact: Impact) -> None:
    """QEMU's own threads are held; the vCPUs are not touched. Mean wait of a period of 100 ms: L²/200."""
    held = 100 * np.clip(0.06 + 0.85 * impact.level, 0, 0.93) * impact.on
    impact.at_guest("emulator_wait_ms", held**2 / 200)
    impact.at_guest("emulator_throttled", np.clip(0.02 + 0.9 * impact.level, 0, 0.98) * impact.on)


def _heat(impact: Impact) -> None:
    """The clock falls with throttle events."""
    impact.levers.scale("host.freq", impact.host, impact.when, 1 - 0.55 * impact.level)
    noise = impact.rng.lognormal(0, 0.3, len(impact.level)).astype(np.float32)
    impact.at_host("throttles", 90 * impact.level * noise)


def _power_cap(impact: Impact) -> None:
    """A cap on power holds the clock down, without thermal events."""
    impact.levers.scale("host.freq", impact.host, impact.when, 1 - 0.5 * impact.level)


def _housekeeping(impact: Impact) -> None:
    """Same-page merging and compaction: cores lost, stalls of milliseconds in all guests."""
    noise = impact.rng.lognormal(0, 0.4, len(impact.level)).astype(np.float32)
    impact.at_host("reclaim", 900 * impact.level**1.5 * noise)
    impact.at_host("stall_ms", 16 * impact.level**1.5 * noise)
    impact.at_host("cpu_cores", 1.4 * impact.level)


COMPUTE = (
    FaultKind(
        name="cpu-saturated", cause="HW-01", family="cpu", target="host", act=_saturate,
        shapes=("step", "ramp", "intermittent"), hours=(1, 9), also=("VIRT-01",),
        shows=(Symptom(metric="host_cpu_busy_pct"), Symptom(metric="vm_ready_pct", where="guests")),
    ),
    FaultKind(
        name="noisy-neighbour-cpu", cause="CONT-01", family="cpu", target="vm", act=_neighbour,
        shapes=("step", "intermittent"), hours=(0.7, 8), fits=("db", "ci", "web"),
        shows=(Symptom(metric="vm_cpu_pct"), Symptom(metric="vm_ready_pct", where="neighbours")),
    ),
    FaultKind(
        name="busy-guest", cause="SW-05", family="cpu", target="vm", act=_busy_guest,
        shapes=("step", "intermittent"), hours=(1, 10), fits=("desk", "web", "db"),
        shows=(Symptom(metric="vm_cpu_pct"),),
    ),
    FaultKind(
        name="vcpu-quota", cause="VIRT-04", family="cpu", target="vm", act=_vcpu_quota, hours=(2, 30),
        fits=("desk", "web", "db", "ci"), labels={"vcpu_quota": "20000"},
        shows=(Symptom(metric="vm_throttled_pct"), Symptom(metric="vm_ready_pct")),
    ),
    FaultKind(
        name="emulator-quota", cause="VIRT-04", family="cpu", target="vm", act=_emulator_quota, hours=(2, 30),
        labels={"emulator_quota": "10000"},
        shows=(Symptom(metric="vm_throttled_pct"), Symptom(metric="console_mainloop_ms", where="console")),
    ),
    FaultKind(
        name="thermal-throttling", cause="PWR-01", family="cpu", target="host", act=_heat,
        shapes=("ramp", "step", "intermittent"), hours=(1, 14),
        shows=(Symptom(metric="host_freq_ratio", worse="down"), Symptom(metric="host_throttle_per_min")),
    ),
    FaultKind(
        name="power-cap", cause="PWR-01", family="cpu", target="host", act=_power_cap, hours=(2, 20), also=("PWR-02",),
        shows=(Symptom(metric="host_freq_ratio", worse="down"),),
    ),
    FaultKind(
        name="memory-housekeeping", cause="CONT-09", family="memory", target="host", act=_housekeeping,
        shapes=("step", "intermittent"), hours=(1, 12), also=("VIRT-14",),
        shows=(Symptom(metric="host_reclaim_per_s"), Symptom(metric="console_mainloop_ms", where="consoles")),
    ),
)  # fmt: skip
