"""Causes against their physics: faults in the ways in which they really show, written down by hand.

Each case says what moves, on one host with four guests that otherwise only have noise; what is right follows from how
schedulers, networks and hypervisors work, not from a simulator.
"""

import pytest
from cause_fleet import GONE, Case, diagnosed, fleet

from brownout.domain.findings import UNKNOWN

CASES = {
    "an emulator's quota holds the main loop back, and no vCPU waits": Case(
        {("v1", "vm_throttled_pct"): 70, ("v1/console", "console_mainloop_ms"): 27,
         ("v1/console", "console_update_ms"): 70}, ("VIRT-04", "v1"),
    ),
    "a quota on vCPUs, without cgroup figures": Case(
        {("v1", "vm_ready_pct"): 30, ("v1/console", "console_mainloop_ms"): 20}, ("VIRT-04", "v1"),
        unmeasured=("vm_throttled_pct",),
    ),
    "a guest hangs at full speed": Case(
        {("v2", "vm_cpu_pct"): 99, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "a guest hangs and does nothing": Case(
        {("v2", "vm_cpu_pct"): 0.1, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "one CPU of a guest hangs": Case(
        {("v2", "vm_cpu_pct"): 40, ("v2/console", "console_echo_lost_pct"): 100,
         ("v2/console", "console_echo_ms"): GONE}, ("SW-06", "v2"),
    ),
    "jitter only ever delays, so the mean rises too": Case(
        {("link", "link_jitter_ms"): 22, ("link", "link_rtt_ms"): 27, ("console", "console_update_ms"): 60,
         ("console", "console_connect_ms"): 27}, ("NET-04", "h/link"),
    ),
    "a longer path, with its own small jitter": Case(
        {("link", "link_jitter_ms"): 1.2, ("link", "link_rtt_ms"): 85, ("console", "console_update_ms"): 120,
         ("console", "console_connect_ms"): 85}, ("NET-01", "h/link"),
    ),
    "a dead path": Case(
        {("link", "link_loss_pct"): 100, ("link", "link_rtt_ms"): GONE, ("link", "link_jitter_ms"): GONE,
         ("console", "console_connect_ms"): GONE, ("console", "console_update_ms"): GONE,
         ("console", "console_echo_ms"): GONE, ("console", "console_mainloop_ms"): GONE,
         ("console", "console_failed_pct"): 100}, ("NET-03", "h/link"),
    ),
    "late behind the proxy only": Case({("console", "console_proxied_ms"): 900}, ("NET-09", "h/link")),
    "a link at a tenth of its speed, without an error": Case(
        {("interface", "net_speed_mbits"): 100, ("interface", "net_util_pct"): 80}, ("NET-06", "h/eth0"),
    ),
    "a link at a tenth of its speed that loses what does not fit": Case(
        {("interface", "net_speed_mbits"): 100, ("link", "link_loss_pct"): 2,
         ("host", "host_retrans_pct"): 2}, ("NET-06", "h/eth0"),
    ),
    "a guest without swap has used its memory up at once": Case(
        {("v2", "vm_memory_usable_pct"): 8}, ("CONT-05", "v2"),
    ),
    "a backup at an odd hour takes a fast disk whole, and nobody waits yet": Case(
        {("v2", "vm_block_job"): 1, ("disk", "disk_util_pct"): 92, ("disk", "disk_read_kbs"): 400_000},
        ("CONT-10", "v2"),
    ),
    "a backup that leaves the disk room": Case(
        {("v2", "vm_block_job"): 1, ("disk", "disk_util_pct"): 35, ("disk", "disk_read_kbs"): 90_000}, (UNKNOWN, ""),
    ),
    "requests of an emulated disk wait at its cap: QEMU works no more than usually": Case(
        {("v3", "vm_disk_await_ms"): 40}, ("VIRT-21", "v3"), labels={"disk_bus": "ide", "io_cap": "yes"},
    ),
    "requests of an emulated disk with a cap wait for QEMU, which works for them": Case(
        {("v3", "vm_disk_await_ms"): 40, ("v3", "vm_system_share_pct"): 40}, ("VIRT-05", "v3"),
        labels={"disk_bus": "ide", "io_cap": "yes"},
    ),
    "thermal throttling under load": Case(
        {("host", "host_freq_ratio"): 0.55, ("host", "host_throttle_per_min"): 30, ("host", "host_cpu_busy_pct"): 62,
         ("vm", "vm_ready_pct"): 4}, ("PWR-01", "h"),
    ),
    "throttle events where nobody collects the clock": Case(
        {("host", "host_throttle_per_min"): 30, ("host", "host_cpu_busy_pct"): 62,
         ("console", "console_mainloop_ms"): 4},
        ("PWR-01", "h"), unmeasured=("host_freq_ratio",),
    ),
    "packets that nobody else counts outrun the host": Case(
        {("interface", "net_drop_per_s"): 300, ("host", "host_retrans_pct"): 2}, ("NET-07", "h/eth0"),
        unmeasured=("host_softirq_pct",),
    ),
    "a disk with its sectors failing and its latency not yet": Case(
        {("disk", "disk_bad_sectors"): 80}, ("MAINT-02", "h/sda"),
    ),
    "a host that was restarted, and all is well": Case(
        {("host", "host_uptime_h"): 1, ("vm", "vm_uptime_h"): 0.9}, ("ART-09", "h"),
    ),
    "a guest asks for more and gets it": Case({("v3", "vm_cpu_pct"): 45, ("v3", "vm_net_rx_kbs"): 110}, (UNKNOWN, "")),
    "a screen that moves more than usual, as quick as ever": Case(
        {("v1/console", "console_worker_pct"): 68, ("v1/console", "console_update_kib"): 200,
         ("v1/console", "console_clients"): 1}, (UNKNOWN, ""),
    ),
    "a slow screen whose encode worker has room": Case(
        {("v3/console", "console_worker_pct"): 45, ("v3/console", "console_fps"): 12,
         ("v3/console", "console_update_ms"): 60}, (UNKNOWN, ""), labels={"video_model": "virtio"},
    ),
    "a class watches one screen that moves": Case(
        {("v1/console", "console_worker_pct"): 99, ("v1/console", "console_clients"): 12,
         ("v1/console", "console_fps"): 9, ("v1/console", "console_update_ms"): 140}, ("HW-06", "v1"),
    ),
    "viewers on a worker that keeps up": Case(
        {("v1/console", "console_worker_pct"): 62, ("v1/console", "console_clients"): 6}, ("HW-06", "v1"),
    ),
    "one viewer's video fills the worker, and nobody counts viewers": Case(
        {("v1/console", "console_worker_pct"): 99, ("v1/console", "console_update_kib"): 300,
         ("v1/console", "console_fps"): 12, ("v1/console", "console_update_ms"): 110}, ("HW-06", "v1"),
        unmeasured=("console_clients",),
    ),
    "a host is busy, and nobody waits": Case({("host", "host_cpu_busy_pct"): 91}, (UNKNOWN, "")),
    "a host is full, and its tasks wait": Case(
        {("host", "host_cpu_busy_pct"): 99, ("host", "host_load_per_cpu"): 2.4}, ("HW-01", "h"),
        unmeasured=("host_psi_cpu_pct", "vm_ready_pct"),
    ),
    "a host is full, and nobody measures who waits": Case(
        {("host", "host_cpu_busy_pct"): 99}, ("HW-01", "h"),
        unmeasured=("host_psi_cpu_pct", "vm_ready_pct", "console_mainloop_ms"),
    ),
    "all guests of a host want more than it has": Case(
        {("host", "host_cpu_busy_pct"): 100, ("host", "host_psi_cpu_pct"): 60, ("vm", "vm_cpu_pct"): 55,
         ("vm", "vm_ready_pct"): 40, ("console", "console_mainloop_ms"): 20}, ("HW-01", "h"),
    ),
    "the requests of one guest cost its host's CPUs too": Case(
        {("host", "host_cpu_busy_pct"): 100, ("host", "host_psi_cpu_pct"): 60, ("v2", "vm_disk_iops"): 9000,
         ("vm", "vm_disk_await_ms"): 45, ("vm", "vm_ready_pct"): 40, ("disk", "disk_util_pct"): 97,
         ("disk", "disk_await_ms"): 38, ("console", "console_mainloop_ms"): 20}, ("CONT-02", "v2"),
    ),
    "a disk that is saturated by reads makes changed memory wait": Case(
        {("disk", "disk_util_pct"): 100, ("disk", "disk_await_ms"): 10, ("disk", "disk_read_kbs"): 700_000,
         ("disk", "disk_write_kbs"): 500_000, ("host", "host_dirty_pct"): 11, ("vm", "vm_flush_ms"): 60},
        ("HW-05", "h/sda"),
    ),
    "changed memory is written in one go": Case(
        {("disk", "disk_util_pct"): 100, ("disk", "disk_await_ms"): 10, ("disk", "disk_write_kbs"): 900_000,
         ("host", "host_dirty_pct"): 20, ("vm", "vm_flush_ms"): 60}, ("CONT-07", "h"),
    ),
    "changed memory is written in one go, and others read from the disk": Case(
        {("disk", "disk_util_pct"): 100, ("disk", "disk_await_ms"): 10, ("disk", "disk_write_kbs"): 190_000,
         ("disk", "disk_read_kbs"): 110_000, ("host", "host_dirty_pct"): 20, ("vm", "vm_flush_ms"): 60},
        ("CONT-07", "h"),
    ),
    "a disk is busy with requests that it answers as ever": Case({("disk", "disk_util_pct"): 90}, (UNKNOWN, "")),
    "a disk with a queue before it": Case(
        {("disk", "disk_util_pct"): 90, ("disk", "disk_queue"): 10, ("disk", "disk_await_ms"): 1.1}, ("HW-05", "h/sda"),
    ),
    "a link is full, and packets queue": Case(
        {("interface", "net_util_pct"): 97, ("console", "console_connect_ms"): 60, ("link", "link_jitter_ms"): 9,
         ("link", "link_rtt_ms"): 60, ("console", "console_update_ms"): 95}, ("NET-02", "h/eth0"),
    ),
    "a video model that is old, and no effect of it": Case(
        {("v3", "vm_cpu_pct"): 30}, (UNKNOWN, ""), labels={"video_model": "cirrus", "disk_bus": "ide"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_in_every_way_in_which_it_shows(name: str) -> None:
    case = CASES[name]
    diagnosis = diagnosed(*fleet(case))
    assert (diagnosis.top.id, diagnosis.top.entity) == case.right, diagnosis.summary
