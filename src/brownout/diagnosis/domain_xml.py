"""Configuration of a guest from libvirt's domain XML, as the labels that the knowledge's symptoms look at."""

import re
import xml.etree.ElementTree as ET

from brownout.domain.errors import DataError

__all__ = ["LABELS", "read_domain"]

Element = ET.Element

LABELS = (
    "domain_type", "machine", "cpu_mode", "vcpus", "video_model", "video_vgamem_kib", "graphics_type",
    "spice_image_compression", "disk_bus", "disk_cache", "disk_io", "disk_format", "backing_depth", "iothreads",
    "io_cap", "nic_model", "hugepages", "emulator_pinned", "hyperv_on", "os", "input_tablet_bus", "usb_controller",
    "balloon_period",
)  # fmt: skip
DEFAULT_CACHE = "writeback"
"""What QEMU does where the XML says nothing."""
DEFAULT_COMPRESSION = "auto_glz"
DEFAULT_VGAMEM_KIB = "16384"


def read_domain(xml: str) -> tuple[str, dict[str, str]]:
    """Name of a guest and its labels, from what ``virsh dumpxml`` prints.

    Raises DataError for what is no domain XML, and for a document with a DTD: libvirt writes none, and entities in one
    can fill the memory.
    """
    if re.search(r"<!(DOCTYPE|ENTITY)", xml, re.IGNORECASE):
        raise DataError("The domain XML has a DTD.", remedy="Give what `virsh dumpxml` prints.")
    try:
        root = ET.fromstring(xml)  # noqa: S314 - without a DTD nothing is expanded or fetched
    except ET.ParseError as error:
        raise DataError(
            f"The domain XML cannot be read: {error}.", remedy="Give what `virsh dumpxml` prints."
        ) from error
    name = root.findtext("name", "").strip()
    if root.tag != "domain" or not name:
        raise DataError(f"The XML describes a {root.tag!r}.", remedy="Give what `virsh dumpxml` prints of a guest.")
    labels = _machine(root) | _disk(root) | _display(root)
    return name, {label: labels[label] for label in LABELS if labels.get(label)}


def _machine(root: Element) -> dict[str, str]:
    cpu = root.find("cpu")
    mode = "" if cpu is None else cpu.get("mode", "custom")
    model = root.findtext("cpu/model", "").strip()
    systems = " ".join(element.get("id", "") for element in root.iter() if element.tag.endswith("}os"))
    machine = root.find("os/type")
    tablets = [e.get("bus", "usb") for e in root.findall("devices/input") if e.get("type") == "tablet"]
    usb = [e.get("model", "piix3-uhci") for e in root.findall("devices/controller") if e.get("type") == "usb"]
    return {
        "domain_type": root.get("type", ""),
        "machine": "" if machine is None else machine.get("machine", ""),
        "cpu_mode": model if mode == "custom" and model else mode,
        "vcpus": root.findtext("vcpu", "").strip(),
        "nic_model": _attribute(root, "devices/interface/model", "type"),
        "hugepages": "false" if root.find("memoryBacking/hugepages") is None else "true",
        "emulator_pinned": _emulator(root),
        "hyperv_on": "false" if root.find("features/hyperv") is None else "true",
        "os": "windows" if "microsoft" in systems else "linux" if systems else "",
        "input_tablet_bus": tablets[0] if tablets else "none",
        "usb_controller": usb[0] if usb else "none",
        "balloon_period": _attribute(root, "devices/memballoon/stats", "period"),
    }


def _disk(root: Element) -> dict[str, str]:
    """Of the first disk that is neither a floppy nor a CD."""
    disks = [disk for disk in root.findall("devices/disk") if disk.get("device", "disk") == "disk"]
    if not disks:
        return {}
    disk = disks[0]
    capped = any(int(limit.text or 0) > 0 for d in disks for limit in d.findall("iotune/*") if _is_number(limit.text))
    return {
        "disk_bus": _attribute(disk, "target", "bus"),
        "disk_cache": _attribute(disk, "driver", "cache") or DEFAULT_CACHE,
        "disk_io": _attribute(disk, "driver", "io"),
        "disk_format": _attribute(disk, "driver", "type"),
        "backing_depth": str(sum(store.find("source") is not None for store in disk.iter("backingStore"))),
        "iothreads": root.findtext("iothreads", "0").strip(),
        "io_cap": "yes" if capped else "no",
    }


def _display(root: Element) -> dict[str, str]:
    video = root.find("devices/video/model")
    labels = {"graphics_type": _attribute(root, "devices/graphics", "type")}
    if video is not None:
        labels["video_model"] = video.get("type", "")
        if video.get("type") in {"vga", "qxl", "bochs"}:
            labels["video_vgamem_kib"] = video.get("vgamem") or video.get("vram") or DEFAULT_VGAMEM_KIB
    if labels["graphics_type"] == "spice":
        image = root.find("devices/graphics/image")
        labels["spice_image_compression"] = DEFAULT_COMPRESSION if image is None else image.get("compression", "")
    return labels


def _emulator(root: Element) -> str:
    """Whether the emulator is pinned, and if so, whether onto a CPU that one of the vCPUs is pinned to as well."""
    emulator = _cpus(_attribute(root, "cputune/emulatorpin", "cpuset"))
    if not emulator:
        return "no"
    taken = {cpu for pin in root.findall("cputune/vcpupin") for cpu in _cpus(pin.get("cpuset", ""))}
    return "vcpu" if emulator & taken else "housekeeping"


def _cpus(cpuset: str) -> set[int]:
    """CPUs of a list such as ``0-3,^2,8``."""
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in cpuset.split(","))):
        first, _, last = part.removeprefix("^").partition("-")
        if not (_is_number(first) and _is_number(last or first)):
            raise DataError(f"The CPU list {cpuset!r} cannot be read.", remedy="Give what `virsh dumpxml` prints.")
        cpus = range(int(first), int(last or first) + 1)
        found = found.difference(cpus) if part.startswith("^") else found.union(cpus)
    return found


def _attribute(root: Element, path: str, name: str) -> str:
    found = root.find(path)
    return "" if found is None else found.get(name, "")


def _is_number(text: str | None) -> bool:
    return bool(text) and str(text).strip().isdecimal()
