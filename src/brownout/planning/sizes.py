"""Sizes of hosts and guests, from their labels."""

from collections.abc import Sequence

from brownout.domain.entities import Entity

__all__ = ["cpus_of", "memory_gib_of"]

KIB_A_GIB = 1024.0**2
MEMORY_LABELS = (("memory_gib", 1.0), ("mem_kib", KIB_A_GIB), ("maximum_memory_kib", KIB_A_GIB))
CPU_LABELS = ("cores", "cpus", "n_cpus", "vcpus")


def cpus_of(entity: Entity) -> float | None:
    """CPUs of a host or vCPUs of a guest; None where nothing says."""
    return _number(entity, CPU_LABELS)


def memory_gib_of(entity: Entity) -> float | None:
    """Memory of a host or guest in GiB; None where nothing says."""
    for label, unit in MEMORY_LABELS:
        value = _number(entity, (label,))
        if value is not None:
            return value / unit
    return None


def _number(entity: Entity, labels: Sequence[str]) -> float | None:
    """The first of some labels that is a number above 0."""
    for label in labels:
        try:
            value = float(entity.labels[label])
        except (KeyError, ValueError):
            continue
        if value > 0:
            return value
    return None
