"""Guests as libvirt sees them: what ``virsh domstats`` prints, under the names of Telegraf's libvirt input."""

from collections.abc import Iterable, Iterator, Mapping

from brownout.adapters.agent.gathered import Sample

__all__ = ["GROUPS", "domain_samples"]

GROUPS = ("--state", "--cpu-total", "--vcpu", "--balloon", "--interface", "--block", "--perf")
VCPU = ("state", "time", "wait", "delay")
"""Fields of a virtual CPU: Telegraf drops the others, most of which only some kernels count."""
TEXTS = {"name", "path"}
PARTS = {"net": ("libvirt_net", "interface_id"), "block": ("libvirt_block", "block_id")}
WHOLE = {"state": "libvirt_state", "cpu": "libvirt_cpu", "balloon": "libvirt_balloon", "perf": "libvirt_perf"}
CACHE_MONITORS = "cpu.cache.monitor.count"


def domain_samples(text: str) -> Iterator[Sample]:
    """Samples of all domains; of a busy domain only those that libvirt gives without waiting."""
    for name, statistics in _domains(text.splitlines()):
        for measurement, tags, fields in _groups(statistics):
            yield Sample(measurement, fields, {"domain_name": name, **tags})


def _domains(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    name, statistics = "", dict[str, str]()
    for text in lines:
        if text.startswith("Domain: "):
            if name:
                yield name, statistics
            name, statistics = text.removeprefix("Domain: ").strip().removeprefix("'").removesuffix("'"), {}
        elif "=" in text:
            key, _, value = text.strip().partition("=")
            statistics[key] = value
    if name:
        yield name, statistics


def _groups(statistics: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str], dict[str, int | str]]]:
    whole: dict[str, dict[str, int | str]] = {}
    parts: dict[tuple[str, str], dict[str, int | str]] = {}
    for key, value in statistics.items():
        group, _, rest = key.partition(".")
        number, _, field = rest.partition(".")
        if key == CACHE_MONITORS:
            whole.setdefault("libvirt_cpu_cache_monitor_total", {}).update(_value("count", value))
        elif rest == "count" and group in PARTS:
            whole.setdefault(f"{PARTS[group][0]}_total", {}).update(_value("count", value))
        elif group == "vcpu" and rest in {"current", "maximum"}:
            whole.setdefault("libvirt_vcpu_total", {}).update(_value(rest, value))
        elif group in (*PARTS, "vcpu") and number.isdecimal():
            parts.setdefault((group, number), {}).update(_part(group, field, value))
        elif group in WHOLE and not rest.startswith("cache."):
            whole.setdefault(WHOLE[group], {}).update(_value(_name(rest), value))
    for measurement, fields in whole.items():
        yield measurement, {}, fields
    for (group, number), fields in parts.items():
        measurement, tag = PARTS.get(group, ("libvirt_vcpu", "vcpu_id"))
        yield measurement, {tag: number}, fields


def _part(group: str, field: str, value: str) -> dict[str, int | str]:
    if group != "vcpu":
        return {field: value} if field in TEXTS else _value(_name(field), value)
    if field == "halted":
        return {"halted": value, "halted_i": int(value == "yes")}
    return _value(field, value) if field in VCPU else {}


def _name(field: str) -> str:
    """``rd.bytes`` as ``rd_bytes``, ``last-update`` as ``last_update``."""
    return field.replace(".", "_").replace("-", "_")


def _value(name: str, value: str) -> dict[str, int | str]:
    """A whole number; nothing where libvirt wrote none."""
    return {name: int(value)} if value.lstrip("-").isdecimal() else {}
