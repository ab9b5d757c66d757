"""Values that do not mean what they seem to: sentinels, counters that wrap, guests whose balloon does not answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from brownout.operate.checks import Check, State
from brownout.operate.sources_seen.samples import Sampled

__all__ = ["odd_values", "some"]

SENTINELS = {
    float(2**31 - 1): "2^31 - 1",
    float(2**32 - 1): "2^32 - 1",
    float(2**63): "2^63 - 1",
    float(2**64): "2^64 - 1",
}
"""What libraries write for "unknown", as floats."""
WRAPS = {"2^32": (0.0, 2.0**32), "2^31": (-(2.0**31), 2.0**31), "2^63": (-(2.0**63), 2.0**63), "2^64": (0.0, 2.0**64)}
"""Where counters of 32 and 64 bits begin anew, without and with a sign, and from where to where they count."""
NEARLY = 0.25
"""A counter that falls from the last part of its range, so large, into the first one has wrapped, not been reset."""
LISTED = 5
"""Names that a line has room for."""
POLLED_DO = (
    "Load the guest's driver: virtio_balloon in Linux, virtio-win's balloon service in Windows; "
    "its XML needs <memballoon model='virtio'>."
)
POLL_DO = "virsh dommemstat GUEST --period 10 --live --config  # on each host and guest"


def odd_values(samples: Sequence[Sampled]) -> Iterator[Check]:
    """Implausible values in the last samples."""
    for sampled in samples:
        yield from _sentinels(sampled)
        yield from _wraps(sampled)
        if sampled.measurement == "libvirt_balloon":
            yield from _balloons(sampled, _periods(samples))
        if sampled.measurement == "procstat":
            yield from _folded(sampled)


def _sentinels(sampled: Sampled) -> Iterator[Check]:
    for field in sampled.raw.fields:
        values = sampled.values(field)
        for value, text in SENTINELS.items():
            number = int((values == value).sum())
            if number:
                finding = f"{number} samples of {field} are {text}: that stands for unknown, and is no measurement"
                do = "Update the collector, or drop the field where it says so."
                yield Check(state=State.WARNING, about=sampled.measurement, found=finding, do=do)


def _wraps(sampled: Sampled) -> Iterator[Check]:
    counters = {
        source.fields.get(name, name)
        for source in sampled.sources
        for expression in source.metrics.values()
        for name in expression.counters
    }
    same = np.diff(sampled.raw.series) == 0
    for field in sorted(counters & set(sampled.raw.fields)):
        values = sampled.values(field)
        fell = same & (np.diff(values) < 0)
        for width, (first, end) in WRAPS.items():
            near = NEARLY * (end - first)
            ended = (values[:-1] > end - near) & (values[:-1] <= end)
            wrapped = fell & ended & (values[1:] >= first) & (values[1:] < first + near)
            number = int(wrapped.sum())
            if number:
                finding = f"{field} begins anew at {width} ({number} times in 20 min): the rates across are left out"
                do = "Count in 64 bits: a newer driver or exporter; or gather more often."
                yield Check(state=State.WARNING, about=sampled.measurement, found=finding, do=do)


def _periods(samples: Iterable[Sampled]) -> Mapping[str, str] | None:
    """Seconds between polls by guest, where its configuration is known; None where nobody writes any."""
    configs = [sampled.raw.tags for sampled in samples if sampled.measurement == "vm_config"]
    if not configs:
        return None
    return {tags.get("domain_name", ""): tags.get("balloon_period", "") for tags in configs[0]}


def _balloons(sampled: Sampled, periods: Mapping[str, str] | None) -> Iterator[Check]:
    """Guests without the memory that their balloon would tell: not polled, or polled without an answer."""
    usable, update = sampled.values("usable"), sampled.values("last_update")
    silent: list[str] = []
    unpolled: list[str] = []
    for series, tags in enumerate(sampled.raw.tags):
        rows = sampled.raw.series == series
        name = tags.get("domain_name", "")
        if np.isfinite(usable[rows]).any() or not rows.any():
            continue
        polled = periods[name] not in ("", "0") if periods and name in periods else (update[rows] == 0).any()
        (silent if polled else unpolled).append(name)
    if silent:
        finding = f"the balloon of {some(silent)} is polled and does not answer: no driver in the guest"
        yield Check(state=State.WARNING, about="libvirt balloon", found=finding, do=POLLED_DO)
    if unpolled:
        finding = f"the balloon of {some(unpolled)} is not polled: memory in the guest is unknown"
        yield Check(state=State.WARNING, about="libvirt balloon", found=finding, do=POLL_DO)


def _folded(sampled: Sampled) -> Iterator[Check]:
    """Processes of several guests in one series, where no tag tells them apart."""
    hosts = sorted({tags.get("host", "") for tags in sampled.raw.tags if _is_qemu(tags) and not _telling(tags)})
    if hosts:
        finding = f"no tag says which guest a QEMU is on {some(hosts)}: several processes overwrite one another"
        do = 'Select them by [[inputs.procstat]] cgroup = "machine.slice/machine-qemu*" instead of pattern or exe.'
        yield Check(state=State.WARNING, about="procstat", found=finding, do=do)


def _is_qemu(tags: Mapping[str, str]) -> bool:
    named = " ".join(tags.get(tag, "") for tag in ("process_name", "exe", "pattern", "cmdline"))
    return "qemu" in named or "kvm" in named


def _telling(tags: Mapping[str, str]) -> bool:
    return any(tags.get(tag) for tag in ("cgroup", "cgroup_full", "systemd_unit", "pid", "cmdline"))


def some(names: Sequence[str]) -> str:
    """The first few names."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
