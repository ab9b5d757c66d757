"""Operations and unknown values: the commands of each platform, as data, checked when read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from brownout.domain.definitions import Definition, read_definitions

__all__ = ["FORBIDDEN", "MACROS", "PLACEHOLDER", "Operation", "Operations", "Platform", "Unknown", "placeholders"]

FORBIDDEN = (
    r"\bvirsh\b.*\b(destroy|undefine)\b",
    r"\bqm\s+(destroy|stop)\b|\bopenstack\b.*\bdelete\b",
    r"\bchrt\s+(-\w+\s+)*-?-?(f|r|fifo|rr)\b",
    r"/etc/libvirt/qemu/|qemu-system-x86_64\.conf",
    r"\brm\s+-\w*r",
    r"\bmkfs\b|\bdd\s+if=",
    r"\bswapoff\b",
    r"drop_caches|panic_on_oops",
    r"\b(cfq|echo\s+deadline)\b",
    r"\bzstd\b|\bnographic\b|\bkvmtool\b|MemoryLimit=|\bping\s+-[ft]\b|lsmod.*spice",
)
"""Patterns of commands that no remedy may hold: they lose data, kill guests, starve the kernel, or do nothing today."""
PLACEHOLDER = re.compile(r"\{(\w*)\}")
MACROS = {
    "{virsh}": "virsh -c qemu+ssh://{host}/system",
    "{virt_xml}": "virt-xml --connect qemu+ssh://{host}/system",
}
FACTS = ("entity", "vm", "host", "device", "login", "name", "protocol")
"""Placeholders that every entity has a value for."""
KEYS = ("do", "undo", "check", "done", "note", "risk")


class Platform(StrEnum):
    """What manages the guests of a site."""

    LIBVIRT = "libvirt"
    PROXMOX = "proxmox"
    OPENSTACK = "openstack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is done on one platform; see ``models/knowledge/operations.toml``."""

    do: str = ""
    undo: str = ""
    check: str = ""
    done: str = ""
    note: str = ""
    risk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A value that a command needs; see ``models/knowledge/unknowns.toml``."""

    meaning: str
    label: str = ""
    commands: Mapping[str, str]

    def command(self, platform: Platform) -> str:
        """The command whose answer is the value."""
        return self.commands.get(platform, self.commands.get("any", ""))


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations by name and platform, and unknown values by name."""

    table: Mapping[str, Mapping[Platform, Operation]]
    unknowns: Mapping[str, Unknown]

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None) -> Self:
        """Read ``operations.toml`` and ``unknowns.toml``; a site's own stand over those that ship.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        operations, unknowns = (read_definitions(n, site=site, shipped=shipped) for n in ("operations", "unknowns"))
        known = {*FACTS, *unknowns}
        return cls(
            {name: _operation(part, known) for name, part in operations.items() if part.enabled},
            {name: _unknown(part, known) for name, part in unknowns.items() if part.enabled},
        )

    def on(self, name: str, platform: Platform) -> Operation:
        """An operation on a platform; an empty one where the platform has none."""
        return self.table[name].get(platform, Operation())


def placeholders(text: str) -> Iterator[str]:
    """Names of the placeholders of a text, macros expanded."""
    yield from PLACEHOLDER.findall(expanded(text))


def expanded(text: str) -> str:
    """A text with its macros replaced."""
    for macro, meaning in MACROS.items():
        text = text.replace(macro, meaning)
    return text


def check_text(definition: Definition, text: str, known: set[str]) -> str:
    """The text with its macros replaced; raises KnowledgeError for what is forbidden or not known."""
    text = expanded(text)
    bad = next((pattern for pattern in FORBIDDEN if re.search(pattern, text)), None)
    if bad:
        what = f"it holds {text!r}, which matches the forbidden pattern {bad!r}."
        raise definition.error(what, remedy="Find a command that can be undone.")
    for name in PLACEHOLDER.findall(text):
        if name not in known:
            raise definition.unknown("placeholder", name, known)
    return text


def _operation(definition: Definition, known: set[str]) -> Mapping[Platform, Operation]:
    definition.check_keys(Platform, required=Platform)
    table = {}
    for platform in Platform:
        fields = definition.fields[platform]
        for key in fields:
            if key not in KEYS:
                raise definition.unknown("key", key, KEYS)
        if not fields.get("do") and not fields.get("note"):
            raise definition.error(f"{platform} has neither do nor note.", remedy="Say what is done there.")
        texts = {key: check_text(definition, text, known) for key, text in fields.items()}
        table[platform] = Operation(**texts)
    return table


def _unknown(definition: Definition, known: set[str]) -> Unknown:
    definition.check_keys(("meaning", "label", "any", *Platform), required=("meaning",))
    fields = dict(definition.fields)
    meaning, label = fields.pop("meaning"), fields.pop("label", "")
    if "any" not in fields and set(fields) != set(Platform):
        raise definition.error("a platform has no command.", remedy="Give `any`, or one for each platform.")
    commands = {name: check_text(definition, text, known) for name, text in fields.items()}
    return Unknown(meaning=meaning, label=label, commands=commands)
