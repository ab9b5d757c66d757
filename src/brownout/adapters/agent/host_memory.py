"""Memory of a host: mem, swap and kernel_vmstat."""

from collections.abc import Iterator
from pathlib import Path

from brownout.adapters.agent.gathered import Sample, read

__all__ = ["kernel_vmstat", "mem", "swap"]

KIB = 1024
FIELDS = {
    "total": "MemTotal", "available": "MemAvailable", "free": "MemFree", "buffered": "Buffers", "active": "Active",
    "inactive": "Inactive", "slab": "Slab", "sreclaimable": "SReclaimable", "sunreclaim": "SUnreclaim",
    "dirty": "Dirty", "write_back": "Writeback", "write_back_tmp": "WritebackTmp", "shared": "Shmem",
    "mapped": "Mapped", "page_tables": "PageTables", "committed_as": "Committed_AS", "commit_limit": "CommitLimit",
    "vmalloc_total": "VmallocTotal", "vmalloc_used": "VmallocUsed", "vmalloc_chunk": "VmallocChunk",
    "swap_total": "SwapTotal", "swap_free": "SwapFree", "swap_cached": "SwapCached", "high_total": "HighTotal",
    "high_free": "HighFree", "low_total": "LowTotal", "low_free": "LowFree", "huge_page_size": "Hugepagesize",
}  # fmt: skip
"""Telegraf's names of /proc/meminfo's lines in KiB; what a kernel has not is 0 there too."""
PAGE = 4096
"""Bytes of a page as the swap fields count them, on every machine."""


def mem(root: Path) -> Iterator[Sample]:
    """Memory, in bytes."""
    meminfo = _meminfo(root)
    fields = {name: KIB * meminfo.get(own, 0) for name, own in FIELDS.items()}
    fields["cached"] = KIB * (meminfo.get("Cached", 0) + meminfo.get("SReclaimable", 0))
    fields["used"] = fields["total"] - fields["available"]
    fields |= {f"huge_pages_{name}": meminfo.get(f"HugePages_{name.title()}", 0) for name in ("total", "free")}
    shares = {f"{name}_percent": _share(fields[name], fields["total"]) for name in ("used", "available")}
    yield Sample("mem", {**fields, **shares})


def swap(root: Path) -> Iterator[Sample]:
    """Swap space, and what went in and out since the boot, in bytes."""
    meminfo = _meminfo(root)
    total, free = KIB * meminfo.get("SwapTotal", 0), KIB * meminfo.get("SwapFree", 0)
    used = total - free
    yield Sample("swap", {"total": total, "used": used, "free": free, "used_percent": _share(used, total)})
    vmstat = _vmstat(root)
    yield Sample("swap", {"in": PAGE * vmstat.get("pswpin", 0), "out": PAGE * vmstat.get("pswpout", 0)})


def kernel_vmstat(root: Path) -> Iterator[Sample]:
    """Every counter of /proc/vmstat."""
    yield Sample("kernel_vmstat", _vmstat(root))


def _meminfo(root: Path) -> dict[str, int]:
    pairs = (text.split(":", 1) for text in read(root / "proc/meminfo").splitlines() if ":" in text)
    return {name: int(rest.split()[0]) for name, rest in pairs}


def _vmstat(root: Path) -> dict[str, int]:
    pairs = (text.split() for text in read(root / "proc/vmstat").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _share(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
