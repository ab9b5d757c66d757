"""Configuration of a guest from libvirt's domain XML, as the labels that the knowledge's symptoms look at."""

import re
import xml.etree.ElementTree as ET

from brownout.domain.errors import DataError

__all__ = ["LABELS", "parse_domain", "read_domain", "vcpus_of"]

Element = ET.Element

LABELS = (
    "domain_type", "machine", "cpu_mode", "vcpus", "mem_kib", "video_model", "video_vgamem_kib", "graphics_type",
    "graphics_listen", "spice_image_compression", "spice_streaming", "disk_bus", "disk_cache", "disk_io",
    "disk_discard", "disk_format", "backing_depth", "iothreads", "io_cap", "nic_model", "nic_queues", "vhost",
    "hugepages", "memory_source", "numatune_mode", "vcpus_pinned", "emulator_pinned", "vcpu_quota", "emulator_quota",
    "hyperv_on", "os", "input_tablet_bus", "usb_controller", "balloon_period", "uuid",
    "display_name", "project", "flavour", "disk_path", "disk_target", "bridge",
)  # fmt: skip
NOVA = "http://openstack.org/xmlns/libvirt/nova/"
"""Begins the namespace of what OpenStack's nova writes about an instance; a version follows."""
DEFAULT_CACHE = "writeback"
"""What QEMU does where the XML says nothing."""
DEFAULT_COMPRESSION = "auto_glz"
DEFAULT_VGAMEM_KIB = "16384"
MOST_CPUS = 65_536
"""A list of CPUs is spelt out; beyond this it is nonsense."""
LONGEST_NUMBER = 18
KIB = {"b": 1 / 1024, "bytes": 1 / 1024, "": 1, "K": 1, "KiB": 1, "M": 1024, "MiB": 1024, "G": 2**20, "GiB": 2**20,
       "T": 2**30, "TiB": 2**30, "KB": 1000 / 1024, "MB": 1e6 / 1024, "GB": 1e9 / 1024, "TB": 1e12 / 1024}  # fmt: skip
"""Units of memory in libvirt's XML."""


def read_domain(xml: str) -> tuple[str, dict[str, str]]:
    """Name of a guest and its labels, from what ``virsh dumpxml`` prints.

    Raises DataError for what is no domain XML.
    """
    root = parse_domain(xml)
    labels = _machine(root) | _owned(root) | _cpus_and_memory(root) | _devices(root) | _disk(root) | _display(root)
    return root.findtext("name", "").strip(), {label: labels[label] for label in LABELS if labels.get(label)}


def parse_domain(xml: str) -> Element:
    """The document's root, of a domain with a name.

    Raises DataError for what is none, and for a document with a DTD: libvirt writes none, and entities in one can fill
    the memory.
    """
    if re.search(r"<!(DOCTYPE|ENTITY)", xml, re.IGNORECASE):
        raise DataError("The domain XML has a DTD.", remedy="Give what `virsh dumpxml` prints.")
    try:
        root = ET.fromstring(xml)  # noqa: S314 - without a DTD nothing is expanded or fetched
    except (ET.ParseError, ValueError) as error:
        raise DataError(
            f"The domain XML cannot be read: {error}.", remedy="Give what `virsh dumpxml` prints."
        ) from error
    if root.tag != "domain" or not root.findtext("name", "").strip():
        raise DataError(f"The XML describes a {root.tag!r}.", remedy="Give what `virsh dumpxml` prints of a guest.")
    return root


def _machine(root: Element) -> dict[str, str]:
    cpu = root.find("cpu")
    mode = "" if cpu is None else cpu.get("mode", "custom")
    model = root.findtext("cpu/model", "").strip()
    systems = " ".join(element.get("id", "") for element in root.iter() if element.tag.endswith("}os"))
    return {
        "uuid": root.findtext("uuid", "").strip(),
        "domain_type": root.get("type", ""),
        "machine": _attribute(root, "os/type", "machine"),
        "cpu_mode": model if mode == "custom" and model else mode,
        "hyperv_on": "false" if root.find("features/hyperv") is None else "true",
        "os": "windows" if "microsoft" in systems else "linux" if systems else "",
    }


def _owned(root: Element) -> dict[str, str]:
    """What the owner calls the guest, from OpenStack's metadata or libvirt's title."""
    parts = {
        element.tag.rpartition("}")[2]: element
        for element in root.findall("metadata/*//*")
        if element.tag.startswith(f"{{{NOVA}")
    }
    texts = {tag: " ".join((parts[tag].text or "").split()) for tag in ("name", "project") if tag in parts}
    flavour = parts["flavor"].get("name", "") if "flavor" in parts else ""
    title = " ".join(root.findtext("title", "").split())
    return {"display_name": texts.get("name") or title, "project": texts.get("project", ""), "flavour": flavour}


def _cpus_and_memory(root: Element) -> dict[str, str]:
    pins = [pin for pin in root.findall("cputune/vcpupin") if pin.get("cpuset")]
    quota = root.findtext("cputune/quota") or root.findtext("cputune/global_quota") or "-1"
    return {
        "vcpus": vcpus_of(root),
        "vcpus_pinned": "yes" if pins else "no",
        "vcpu_quota": quota.strip(),
        "emulator_quota": root.findtext("cputune/emulator_quota", "-1").strip(),
        "emulator_pinned": _emulator(root),
        "mem_kib": _kib(root.find("memory")),
        "hugepages": "false" if root.find("memoryBacking/hugepages") is None else "true",
        "memory_source": _attribute(root, "memoryBacking/source", "type") or "anonymous",
        "numatune_mode": _attribute(root, "numatune/memory", "mode"),
        "balloon_period": _attribute(root, "devices/memballoon/stats", "period"),
    }


def vcpus_of(root: Element) -> str:
    """VCPUs that are plugged in; "" where nothing says."""
    return _attribute(root, "vcpu", "current") or root.findtext("vcpu", "").strip()


def _kib(memory: Element | None) -> str:
    if memory is None or not _is_number(memory.text):
        return ""
    return str(round(int(str(memory.text)) * KIB.get(memory.get("unit", ""), 1)))


def _devices(root: Element) -> dict[str, str]:
    tablets = [e.get("bus", "usb") for e in root.findall("devices/input") if e.get("type") == "tablet"]
    usb = [e.get("model", "piix3-uhci") for e in root.findall("devices/controller") if e.get("type") == "usb"]
    nic = _attribute(root, "devices/interface/model", "type")
    in_qemu = _attribute(root, "devices/interface/driver", "name") == "qemu"
    return {
        "nic_model": nic,
        "bridge": _attribute(root, "devices/interface/source", "bridge"),
        "nic_queues": _attribute(root, "devices/interface/driver", "queues") or ("1" if nic else ""),
        "vhost": "yes" if nic == "virtio" and not in_qemu else "no" if nic else "",
        "input_tablet_bus": tablets[0] if tablets else "none",
        "usb_controller": usb[0] if usb else "none",
    }


def _disk(root: Element) -> dict[str, str]:
    """Facts of the first disk that is neither a floppy nor a CD."""
    disks = [disk for disk in root.findall("devices/disk") if disk.get("device", "disk") == "disk"]
    if not disks:
        return {}
    disk = disks[0]
    capped = any(int(limit.text or 0) > 0 for d in disks for limit in d.findall("iotune/*") if _is_number(limit.text))
    return {
        "disk_bus": _attribute(disk, "target", "bus"),
        "disk_path": _attribute(disk, "source", "file"),
        "disk_target": _attribute(disk, "target", "dev"),
        "disk_cache": _attribute(disk, "driver", "cache") or DEFAULT_CACHE,
        "disk_io": _attribute(disk, "driver", "io"),
        "disk_discard": _attribute(disk, "driver", "discard"),
        "disk_format": _attribute(disk, "driver", "type"),
        "backing_depth": str(sum(store.find("source") is not None for store in disk.iter("backingStore"))),
        "iothreads": str(len(_iothreads(root))),
        "io_cap": "yes" if capped else "no",
    }


def _iothreads(root: Element) -> set[str]:
    """IOThreads that disks are served by: one that is defined and not given to any disk serves none."""
    drivers = root.findall("devices/disk/driver") + root.findall("devices/controller/driver")
    named = {driver.get("iothread", "") for driver in drivers}
    mapped = {thread.get("id", "") for driver in drivers for thread in driver.findall("iothreads/iothread")}
    return (named | mapped) - {""}


def _display(root: Element) -> dict[str, str]:
    video = root.find("devices/video/model")
    listen = _attribute(root, "devices/graphics/listen", "address") or _attribute(root, "devices/graphics", "listen")
    labels = {"graphics_type": _attribute(root, "devices/graphics", "type"), "graphics_listen": listen}
    if video is not None:
        labels["video_model"] = video.get("type", "")
        if video.get("type") in {"vga", "qxl", "bochs"}:
            labels["video_vgamem_kib"] = video.get("vgamem") or video.get("vram") or DEFAULT_VGAMEM_KIB
    if labels["graphics_type"] == "spice":
        image = root.find("devices/graphics/image")
        labels["spice_image_compression"] = DEFAULT_COMPRESSION if image is None else image.get("compression", "")
        labels["spice_streaming"] = _attribute(root, "devices/graphics/streaming", "mode")
    return labels


def _emulator(root: Element) -> str:
    """Whether the emulator is pinned, and if so, whether onto a CPU that one of the vCPUs is pinned to as well."""
    emulator = _cpus(_attribute(root, "cputune/emulatorpin", "cpuset"))
    if not emulator:
        return "no"
    vcpu_cpus = {cpu for pin in root.findall("cputune/vcpupin") for cpu in _cpus(pin.get("cpuset", ""))}
    return "vcpu" if emulator & vcpu_cpus else "housekeeping"


def _cpus(cpuset: str) -> set[int]:
    """CPUs of a list such as ``0-3,^2,8``."""
    numbers: set[int] = set()
    for part in filter(None, (part.strip() for part in cpuset.split(","))):
        first, _, last = part.removeprefix("^").partition("-")
        if not (_is_number(first) and _is_number(last or first)) or int(last or first) >= MOST_CPUS:
            raise DataError(f"The CPU list {cpuset!r} cannot be read.", remedy="Give what `virsh dumpxml` prints.")
        cpus = range(int(first), int(last or first) + 1)
        numbers = numbers.difference(cpus) if part.startswith("^") else numbers.union(cpus)
    return numbers


def _attribute(root: Element, path: str, name: str) -> str:
    element = root.find(path)
    return "" if element is None else element.get(name, "")


def _is_number(text: str | None) -> bool:
    return text is not None and text.strip().isdecimal() and len(text.strip()) <= LONGEST_NUMBER
