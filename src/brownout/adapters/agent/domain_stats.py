"""Guests as libvirt sees them: what ``virsh domstats`` prints, under the names of Telegraf's libvirt input."""

from collections.abc import Iterable, Iterator, Mapping

from brownout.adapters.agent.gathered import Sample

__all__ = ["GROUPS", "domain_samples"]

GROUPS = ("--state", "--cpu-total", "--vcpu", "--balloon", "--interface", "--block", "--perf")
VCPU = ("state", "time", "wait", "delay")
"""Of a virtual CPU: Telegraf drops the rest, most of which only some kernels count."""
TEXTS = {"name", "path"}
PARTS = {"net": ("libvirt_net", "interface_id"), "block": ("libvirt_block", "block_id")}
WHOLE = {"state": "libvirt_state", "cpu": "libvirt_cpu", "balloon": "libvirt_balloon", "perf": "libvirt_perf"}
CACHE_MONITORS = "cpu.cache.monitor.count"


def domain_samples(text: str) -> Iterator[Sample]:
    """Samples of all domains; what a busy one would not say at once is missing, nothing else."""
    for name, found in _domains(text.splitlines()):
        for measurement, tags, fields in _groups(found):
            yield Sample(measurement, fields, {"domain_name": name, **tags})


def _domains(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    name, found = "", dict[str, str]()
    for text in lines:
        if text.startswith("Domain: "):
            if name:
                yield name, found
            name, found = text.removeprefix("Domain: ").strip().removeprefix("'").removesuffix("'"), {}
        elif "=" in text:
            key, _, value = text.strip().partition("=")
            found[key] = value
    if name:
        yield name, found


def _groups(found: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str], dict[str, int | str]]]:
    whole: dict[str, dict[str, int | str]] = {}
    parts: dict[tuple[str, str], dict[str, int | str]] = {}
    for key, value in found.items():
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
