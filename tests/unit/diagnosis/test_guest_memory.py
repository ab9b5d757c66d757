"""A host has less memory as that of a guest grows: one fault. What goes otherwise or by more is another one."""

import numpy as np
import pytest

from brownout.diagnosis.incidents.guest_memory import taken_by
from brownout.domain.entities import Entity
from brownout.domain.forecasts import Series
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
SPAN = (START + 8 * HOUR, START + 20 * HOUR)
QEMU, USABLE = Series("vm", "vm_qemu_extra_mib"), Series("vm", "vm_memory_usable_pct")
HOST_PCT, HOST_GIB = Series("kvm", "host_memory_available_pct"), Series("kvm", "host_memory_available_gib")
GROWTH = np.clip((np.arange(24 * 12) - 7 * 12) / (12 * 12), 0, 1)


def panels(*, gone_gib: float = 6.0, before_gib: float = 30.0, when: np.ndarray = GROWTH) -> list[Panel]:
    """A day at five minutes: 5 GiB of a guest's growth from seven o'clock on, and what of 64 GiB its host had left."""
    rng, metrics = np.random.default_rng(3), shipped_catalogue().metrics

    def of(entity: str, kind: str, columns: dict[str, np.ndarray]) -> Panel:
        values = np.stack(
            [column + rng.normal(0, 0.01 * np.ptp(column) + 1e-3, len(column)) for column in columns.values()], 1
        )
        return Panel(
            values[None].astype(np.float32), START, 300, (Entity(id=entity, kind=kind),),
            tuple(metrics[name] for name in columns),
        )  # fmt: skip

    left = before_gib - gone_gib * when
    guest = {QEMU.metric: 200 + 5 * 1024 * GROWTH, USABLE.metric: 40 - 30 * GROWTH}
    host = {HOST_PCT.metric: left / 64 * 100, HOST_GIB.metric: left}
    return [of("vm", "vm", guest), of("kvm", "host", host)]


def test_a_host_has_less_memory_as_a_guest_grows() -> None:
    assert taken_by(QEMU, [HOST_PCT, HOST_GIB], SPAN, panels())
    assert taken_by(USABLE, [HOST_PCT], SPAN, panels())


@pytest.mark.parametrize(
    "measured",
    [
        panels(gone_gib=15),
        panels(before_gib=7.5),
        panels(when=np.where(np.arange(24 * 12) < 14 * 12, 0.0, 1.0) * (np.arange(24 * 12) < 17 * 12)),
        panels(gone_gib=-6),
        panels()[:1],
    ],
    ids=["three times as much", "used up", "at another time", "more", "unmeasured"],
)
def test_what_went_otherwise_by_more_or_too_far_is_a_fault_of_the_host(measured: list[Panel]) -> None:
    assert not taken_by(QEMU, [HOST_PCT, HOST_GIB], SPAN, measured)


def test_of_a_guest_that_is_not_measured_in_bytes_nobody_knows_how_much_it_grew() -> None:
    assert taken_by(USABLE, [HOST_GIB], SPAN, panels(gone_gib=15))
