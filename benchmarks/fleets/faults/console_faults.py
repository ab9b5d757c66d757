"""Faults of consoles and of guests as their viewers see them: encoding, drivers, a hang, the host's clock."""

import numpy as np

from fleets.faults.kinds import FaultKind, Impact, Symptom

__all__ = ["CONSOLE"]


def _many_viewers(impact: Impact) -> None:
    """A class watches one screen that moves: one worker thread encodes for all."""
    impact.at_guest("viewers", np.round(2 + 14 * impact.level) * impact.on)
    impact.at_guest("screen", (0.3 + 0.5 * impact.level) * impact.on)
    impact.levers.scale("vm.encode", impact.guest, impact.when, 1 + 2.2 * impact.level)


def _no_driver(impact: Impact) -> None:
    """The guest draws with its CPU and sends whole screens."""
    impact.levers.scale("vm.update", impact.guest, impact.when, 1 + (2 + 14 * impact.level) * impact.on)
    impact.levers.scale("vm.encode", impact.guest, impact.when, 1 + impact.level)
    impact.at_guest("cpu_cores", impact.vm.vcpus * (0.06 + 0.25 * impact.level) * impact.on)


def _video_model(impact: Impact) -> None:
    """A video model that knows no areas: each change is a full screen."""
    impact.levers.scale("vm.update", impact.guest, impact.when, 1 + (3 + 20 * impact.level) * impact.on)
    impact.levers.scale("vm.encode", impact.guest, impact.when, 1 + 0.6 * impact.level)


def _hang(impact: Impact) -> None:
    """The guest's kernel stands still, its vCPUs spin or sleep; QEMU answers as ever."""
    impact.at_guest("hang", impact.on)
    if impact.rng.random() < 0.6:
        impact.at_guest("hang_busy", 0.995 * impact.on)


def _clock(impact: Impact) -> None:
    """The host's clock jumps or drifts away."""
    impact.at_host("clock_ms", 60 + 4000 * impact.level**2)


CONSOLE = (
    FaultKind(
        name="many-viewers", cause="HW-06", family="display", target="console", act=_many_viewers, hours=(0.7, 6),
        shapes=("step", "intermittent"),
        shows=(Symptom(metric="console_worker_pct"), Symptom(metric="console_clients")),
    ),
    FaultKind(
        name="no-display-driver", cause="SW-01", family="display", target="vm", act=_no_driver, hours=(6, 60),
        fits=("desk",), labels={"guest_gpu_driver": "fbdev"}, restarts=True,
        shows=(Symptom(metric="console_update_kib", where="console"),),
    ),
    FaultKind(
        name="video-model", cause="VIRT-07", family="display", target="vm", act=_video_model, hours=(6, 60),
        fits=("desk",), labels={"video_model": "cirrus"}, restarts=True,
        shows=(Symptom(metric="console_update_kib", where="console"),),
    ),
    FaultKind(
        name="guest-hangs", cause="SW-06", family="other", target="vm", act=_hang, hours=(0.4, 6),
        shows=(Symptom(metric="console_echo_lost_pct", where="console"),),
    ),
    FaultKind(
        name="clock-off", cause="MAINT-06", family="other", target="host", act=_clock, shapes=("step", "ramp"),
        hours=(2, 30), also=("ART-08",), shows=(Symptom(metric="host_clock_offset_ms"),),
    ),
)  # fmt: skip
