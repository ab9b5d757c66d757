"""Words in capitals that a command leaves to the operator: what each stands for, and what fits here."""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from brownout.domain.entities import EntityKind
from brownout.domain.findings import Action
from brownout.domain.night import Night

__all__ = ["Blank", "blanks_of"]

WORD = re.compile(r"(?<!\w)[A-Z][A-Z_]+(?!\w)")
FEW = 6
"""Candidates that a card names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """A value that the operator fills into a command.

    Attributes
    ----------
    name
        The word that stands for it in the command.
    meaning
        What it is.
    find
        How to find it.
    candidates
        What fits, where the topology knows it; at most six.
    """

    name: str
    meaning: str
    find: str
    candidates: tuple[str, ...] = ()


def blanks_of(action: Action, night: Night) -> tuple[Blank, ...]:
    """The blanks of an action's commands, in the order in which they stand."""
    known = _table()
    words = dict.fromkeys(WORD.findall(f"{action.command} {action.confirm} {action.rollback}"))
    return tuple(_blank(word, known[word], action, night) for word in words if word in known)


def _blank(name: str, entry: Mapping[str, str], action: Action, night: Night) -> Blank:
    candidates = CANDIDATES[entry["candidates"]](action.entity, night) if "candidates" in entry else ()
    return Blank(name=name, meaning=entry["meaning"], find=entry["find"], candidates=candidates[:FEW])


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    text = files("brownout.reporting").joinpath("assets", "blanks.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _guests(entity: str, night: Night) -> tuple[str, ...]:
    """Guests of the host that an entity is or belongs to."""
    return _below(entity, night, {EntityKind.VM})


def _hosts(entity: str, night: Night) -> tuple[str, ...]:
    """Other hosts without an open incident, a breach or missing data."""
    topology = night.topology
    troubled = {topology.root(d.entities[0]) for d in night.diagnoses if d.open}
    troubled |= {topology.root(breach.series.entity) for breach in night.breaches}
    troubled |= {topology.root(entity), *night.quality.silent}
    return tuple(other.id for other in topology if other.kind == EntityKind.HOST and other.id not in troubled)


def _interfaces(entity: str, night: Night) -> tuple[str, ...]:
    return tuple(_device(name) for name in _below(entity, night, {EntityKind.INTERFACE, EntityKind.LINK}))


def _disks(entity: str, night: Night) -> tuple[str, ...]:
    return tuple(_device(name) for name in _below(entity, night, {EntityKind.DISK}))


def _device(entity: str) -> str:
    """The name of a device on its host: what follows the host's name."""
    return entity.rpartition("/")[2]


def _below(entity: str, night: Night, kinds: Collection[str]) -> tuple[str, ...]:
    """Entities of some kinds on the host of an entity; the entity alone where it is of one of them."""
    if night.topology[entity].kind in kinds:
        return (entity,)
    members = night.topology.descendants(night.topology.root(entity))
    return tuple(name for name in members if night.topology[name].kind in kinds)


CANDIDATES: Mapping[str, Callable[[str, Night], tuple[str, ...]]] = {
    "guests": _guests,
    "hosts": _hosts,
    "interfaces": _interfaces,
    "disks": _disks,
}
