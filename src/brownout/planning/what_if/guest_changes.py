"""Changes that are asked for: guests that move to another host, or get other vCPUs or memory."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from brownout.domain.definitions import nearest
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.errors import SettingsError
from brownout.planning.entity_names import NAME_LABELS
from brownout.planning.sizes import cpus_of, memory_gib_of

__all__ = ["GuestMove", "GuestResize", "find_entity", "read_moves", "read_resizes"]

MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?", re.IGNORECASE)
UNITS = {"M": 1 / 1024, "G": 1.0, "T": 1024.0}
KEYS = ("memory", "vcpus")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMove:
    """A guest and the host that it would be on."""

    guest: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestResize:
    """A guest and the vCPUs or the memory that it would have; None leaves it as it is."""

    guest: str
    vcpus: int | None = None
    memory_gib: float | None = None


def read_moves(texts: Sequence[str], topology: Topology) -> tuple[GuestMove, ...]:
    """Moves from ``VM:HOST``; raises SettingsError for what is unknown, or where the guest is there already."""
    moves = []
    for text in texts:
        guest, _, host = text.rpartition(":")
        if not guest or not host:
            raise SettingsError(f"--move {text!r} cannot be read.", remedy="Write the guest and the host: vm7:kvm3.")
        move = GuestMove(
            guest=find_entity(guest, EntityKind.VM, topology), host=find_entity(host, EntityKind.HOST, topology)
        )
        if topology.root(move.guest) == move.host:
            raise SettingsError(f"{guest} is on {host} already.", remedy="Name another host.")
        moves.append(move)
    _refuse_doubles((move.guest for move in moves), "--move")
    return tuple(moves)


def read_resizes(texts: Sequence[str], topology: Topology) -> tuple[GuestResize, ...]:
    """Sizes from ``VM:memory=8G,vcpus=4``; raises SettingsError for what is unknown, or no size that a guest can have.

    A guest of which neither size is known cannot be resized: nothing says what the new one is compared with.
    """
    resizes = [_resize(text, topology) for text in texts]
    _refuse_doubles((resize.guest for resize in resizes), "--resize")
    return tuple(resizes)


def find_entity(name: str, kind: EntityKind, topology: Topology) -> str:
    """Id of a guest or host by its id or its only name; raises SettingsError where there is none or more than one."""
    what = "guest" if kind is EntityKind.VM else "host"
    known = [entity for entity in topology if entity.kind == kind]
    if any(entity.id == name for entity in known):
        return name
    named = [entity.id for entity in known if name in {entity.labels.get(label) for label in NAME_LABELS}]
    if len(named) == 1:
        return named[0]
    if named:
        msg = f"{len(named)} {what}s are called {name!r}."
        raise SettingsError(msg, remedy=f"Give one of their ids: {', '.join(sorted(named))}.")
    labels = {entity.labels[label] for entity in known for label in NAME_LABELS if entity.labels.get(label)}
    hint = nearest(name, labels | {entity.id for entity in known}) if known else f"No {what} is measured here."
    raise SettingsError(f"No {what} {name!r} is known.", remedy=hint)


def _resize(text: str, topology: Topology) -> GuestResize:
    guest, _, sizes = text.rpartition(":")
    values = dict(part.partition("=")[::2] for part in sizes.split(",")) if guest and sizes else {}
    if not values or not set(values) <= set(KEYS):
        remedy = "Write the guest and its size: vm2:memory=8G,vcpus=4."
        raise SettingsError(f"--resize {text!r} cannot be read.", remedy=remedy)
    name = find_entity(guest, EntityKind.VM, topology)
    vcpus = _vcpus(values["vcpus"], name, topology) if "vcpus" in values else None
    memory = _memory(values["memory"], name, topology) if "memory" in values else None
    return GuestResize(guest=name, vcpus=vcpus, memory_gib=memory)


def _vcpus(text: str, guest: str, topology: Topology) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{text!r} is no number of vCPUs.", remedy="Give a whole number from 1.")
    if cpus_of(topology[guest]) is None:
        raise SettingsError(f"How many vCPUs {guest} has is not known.", remedy="Collect the facts of guests first.")
    host = topology[topology.root(guest)]
    cpus = cpus_of(host)
    if cpus is not None and int(text) > cpus:
        msg = f"{guest} cannot have {text} vCPUs: its host {host.id} has {cpus:g} CPUs."
        raise SettingsError(msg, remedy=f"Give at most {cpus:g}.")
    return int(text)


def _memory(text: str, guest: str, topology: Topology) -> float:
    match = MEMORY.fullmatch(text.strip())
    size = float(match[1]) * UNITS[match[2].upper()] if match else 0.0
    if size <= 0:
        raise SettingsError(f"{text!r} is no size of memory.", remedy="Give it in MiB, GiB or TiB: 8G.")
    if memory_gib_of(topology[guest]) is None:
        raise SettingsError(f"How much memory {guest} has is not known.", remedy="Collect the facts of guests first.")
    host = topology[topology.root(guest)]
    total = memory_gib_of(host)
    if total is not None and size > total:
        msg = f"{guest} cannot have {size:g} GiB: its host {host.id} has {total:g} GiB."
        raise SettingsError(msg, remedy=f"Give at most {total:g}G.")
    return size


def _refuse_doubles(guests: Iterable[str], option: str) -> None:
    named: set[str] = set()
    for guest in guests:
        if guest in named:
            raise SettingsError(f"{option} names {guest} twice.", remedy="Give one for each guest.")
        named.add(guest)
