"""Faults of storage: saturated, failing and degraded disks, noisy neighbours, block jobs, full file systems."""

import numpy as np

from fleets.faults.kinds import FaultKind, Impact, Symptom
from fleets.site.layout import MEDIA, Medium

__all__ = ["STORAGE"]


def _medium(impact: Impact) -> Medium:
    return MEDIA[impact.hypervisor.medium]


def _requests(impact: Impact, share: float) -> float:
    """Requests a second that bring the disk to a share of what it stands, in small pieces."""
    medium = _medium(impact)
    return share / (medium.service_ms / (1000 * medium.servers) + 16 / (1024 * medium.mib_s))


def _saturated(impact: Impact) -> None:
    """The disk has more requests than it serves, of everybody."""
    iops = _requests(impact, 1.0) * (0.72 + 0.45 * impact.level) * impact.on
    impact.at_host("disk_iops", iops)
    impact.at_host("disk_read_kbs", 9 * iops)
    impact.at_host("disk_write_kbs", 7 * iops)


def _failing(impact: Impact) -> None:
    """Sectors go bad; some requests take seconds."""
    hit = impact.rng.random(len(impact.level)) < 0.3 + 0.6 * impact.level
    impact.at_host("disk_tail_ms", 60 * impact.level * hit.astype(np.float32) * max(_medium(impact).service_ms, 0.5))
    impact.at_host("bad_sectors", np.floor(np.cumsum(impact.level) * impact.axis.interval_s / 3600 * 5) + 2 * impact.on)


def _degraded(impact: Impact) -> None:
    """An array lost a disk and rebuilds: fewer servers, more reads."""
    impact.at_host("degraded", impact.on)
    impact.levers.scale("host.disk_service", impact.host, impact.when, 1 + 0.5 * impact.on)
    impact.at_host("disk_read_kbs", _medium(impact).mib_s * 1024 * (0.35 + 0.5 * impact.level) * impact.on)
    impact.at_host("disk_write_kbs", _medium(impact).mib_s * 1024 * 0.1 * impact.on)


def _block_job(impact: Impact) -> None:
    """A backup at the wrong time, without a limit on its bandwidth."""
    impact.at_guest("block_job", impact.on)
    kbs = _medium(impact).mib_s * 1024 * (0.66 + 0.36 * impact.level) * impact.on
    impact.at_host("disk_read_kbs", kbs)
    impact.at_host("disk_iops", kbs / 900)
    impact.at_host("tx_kbs", np.minimum(kbs / 1.5, 0.4 * impact.hypervisor.link_mbits * 122))


def _noisy(impact: Impact) -> None:
    """A guest's requests take the disk; all on the host wait."""
    iops = _requests(impact, 1.0) * (0.75 + 0.45 * impact.level) * impact.on
    impact.at_guest("iops", iops)
    impact.at_guest("read_kbs", 8 * iops)
    impact.at_guest("write_kbs", 8 * iops)


def _fills(impact: Impact) -> None:
    """Images, snapshots or logs grow day by day."""
    used = impact.usual("disk_used_pct", impact.host)
    impact.at_host("fill_pct", (99.4 - used) * (0.72 + 0.28 * impact.severity) * impact.level / impact.severity)


def _emulated_bus(impact: Impact) -> None:
    """Each request costs many exits, and the main loop does the work."""
    impact.at_guest("system_share", (12 + 24 * impact.level) * impact.on)
    impact.levers.scale("vm.io_factor", impact.guest, impact.when, 1 + (2 + 10 * impact.level) * impact.on)
    impact.at_guest("loop_ms_per_iops", (0.05 + 0.35 * impact.level) * impact.on)
    impact.at_guest("iops", 10 * impact.on)


def _no_iothread(impact: Impact) -> None:
    """A guest with disk work that QEMU's main loop does itself."""
    impact.at_guest("iops", (25 + 60 * impact.level) * impact.on)
    impact.at_guest("write_kbs", (400 + 900 * impact.level) * impact.on)
    impact.at_guest("loop_ms_per_iops", (0.015 + 0.4 * impact.level) * impact.on)


def _writeback(impact: Impact) -> None:
    """Dirty pages pile up and are written in bursts that stop everybody."""
    seconds = np.arange(len(impact.level)) * impact.axis.interval_s
    swing = np.clip(0.75 + 0.35 * np.sin(seconds / 190) + 0.1 * impact.rng.standard_normal(len(seconds)), 0.2, 1.3)
    impact.at_host("dirty_pct", (3 + 14 * impact.level * swing) * impact.on)
    impact.at_host("disk_write_kbs", _medium(impact).mib_s * 1024 * (0.95 + 0.45 * impact.level) * swing * impact.on)


STORAGE = (
    FaultKind(
        name="disk-saturated", cause="HW-05", family="disk", target="disk", act=_saturated, fits=("nvme", "ssd"),
        shapes=("step", "ramp", "intermittent"), hours=(0.7, 8),
        shows=(Symptom(metric="disk_await_ms"), Symptom(metric="disk_util_pct")),
    ),
    FaultKind(
        name="rotating-disk-at-its-limit", cause="HW-04", family="disk", target="disk", act=_saturated, fits=("hdd",),
        shapes=("step", "ramp", "intermittent"), hours=(0.7, 8), also=("HW-05",),
        shows=(Symptom(metric="disk_await_ms"), Symptom(metric="disk_util_pct")),
    ),
    FaultKind(
        name="failing-disk", cause="MAINT-02", family="disk", target="disk", act=_failing,
        shapes=("ramp", "intermittent"), hours=(6, 60),
        shows=(Symptom(metric="disk_bad_sectors"), Symptom(metric="disk_await_ms")),
    ),
    FaultKind(
        name="array-degraded", cause="MAINT-03", family="disk", target="disk", act=_degraded, fits=("hdd",),
        hours=(4, 24), shows=(Symptom(metric="disk_degraded"), Symptom(metric="disk_await_ms")),
    ),
    FaultKind(
        name="backup-contention", cause="CONT-10", family="disk", target="vm", act=_block_job, hours=(0.7, 5),
        shows=(Symptom(metric="vm_block_job"), Symptom(metric="disk_read_kbs", where="disk")),
    ),
    FaultKind(
        name="noisy-neighbour-disk", cause="CONT-02", family="disk", target="vm", act=_noisy,
        shapes=("step", "intermittent"), hours=(0.7, 7), fits=("db", "ci", "web"),
        shows=(Symptom(metric="vm_disk_iops"), Symptom(metric="vm_disk_await_ms", where="neighbours")),
    ),
    FaultKind(
        name="pool-fills", cause="MAINT-04", family="disk", target="path", act=_fills, shapes=("ramp",),
        hours=(40, 180), ramp="disk_used_pct", shows=(Symptom(metric="disk_used_pct"),),
    ),
    FaultKind(
        name="emulated-disk", cause="VIRT-05", family="disk", target="vm", act=_emulated_bus, hours=(8, 60),
        labels={"disk_bus": "ide"}, restarts=True, fits=("desk", "db", "ci", "web"),
        shows=(Symptom(metric="vm_system_share_pct"), Symptom(metric="vm_disk_await_ms")),
    ),
    FaultKind(
        name="no-iothread", cause="VIRT-11", family="disk", target="vm", act=_no_iothread, hours=(2, 20),
        shapes=("step", "intermittent"), labels={"iothreads": "0"}, fits=("desk", "db", "ci", "web"),
        shows=(Symptom(metric="vm_disk_iops"), Symptom(metric="console_mainloop_ms", where="console")),
    ),
    FaultKind(
        name="writeback-stalls", cause="CONT-07", family="disk", target="host", act=_writeback,
        shapes=("step", "intermittent"), hours=(1, 9),
        shows=(Symptom(metric="host_dirty_pct"), Symptom(metric="disk_await_ms", where="disk")),
    ),
)  # fmt: skip
