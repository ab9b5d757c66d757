"""Remedies: what can be done about a cause, as data, checked when read."""

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from brownout.domain.definitions import definitions_folder
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Risk

__all__ = ["FORBIDDEN", "Remedies", "Remedy", "fill"]

FORBIDDEN = (
    r"\bvirsh\b.*\b(destroy|undefine)\b",
    r"\bchrt\s+(-\w+\s+)*-?-?(f|r|fifo|rr)\b",
    r"/etc/libvirt/qemu/|qemu-system-x86_64\.conf",
    r"\brm\s+-\w*r",
    r"\bmkfs\b|\bdd\s+if=",
    r"\bswapoff\b",
    r"drop_caches|panic_on_oops",
    r"\b(cfq|echo\s+deadline)\b",
)
"""Patterns of commands that no remedy may hold: they lose data, kill guests, starve the kernel, or do nothing today."""

PLACEHOLDER = re.compile(r"\{(\w*)\}")
PLACEHOLDERS = ("entity", "vm", "host", "device")
UNLIMITED = ("", "-1", "0")
"""Values of a limit's label that mean none."""
RISKS = {"live": Risk.LIVE, "restart": Risk.RESTART, "maintenance": Risk.MAINTENANCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do about a cause; see ``models/knowledge/remedies.toml``."""

    id: str
    title: str
    command: str
    confirm: str
    verify: str
    risk: Risk
    rollback: str
    gain: tuple[float, float]
    reach: str = "own"

    @property
    def of_host(self) -> bool:
        """Whether the command is about a host, whichever of its guests is in trouble."""
        return set(PLACEHOLDER.findall(self.command)) == {"host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachRemedy:
    """The id of the remedy for a breach of a metric; of another one where a label of the entity limits it."""

    remedy: str
    limited_by: tuple[str, ...] = ()
    limited: str = ""

    def of(self, labels: Mapping[str, str]) -> str:
        """The id for an entity with some labels."""
        return self.limited if any(labels.get(label, "") not in UNLIMITED for label in self.limited_by) else self.remedy


@dataclass(frozen=True, slots=True)
class Remedies:
    """Remedies by cause or family, and the remedy for a breach by metric."""

    table: Mapping[str, Remedy]
    breaches: Mapping[str, BreachRemedy]

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read ``remedies.toml``; raises KnowledgeError naming the remedy that is wrong."""
        path = (folder or definitions_folder() / "knowledge") / "remedies.toml"
        try:
            with path.open("rb") as file:
                tables = tomllib.load(file)
            found = {name: _remedy(name, fields) for name, fields in tables["remedies"].items()}
            breaches = {str(metric): _breach(what) for metric, what in tables["breaches"].items()}
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            msg = f"{path} cannot be read: {error}."
            raise KnowledgeError(msg, remedy="Give TOML tables [remedies.ID] and [breaches].") from error
        named = {name for breach in breaches.values() for name in (breach.remedy, breach.limited) if name}
        missing = sorted({UNKNOWN, *named} - set(found))
        if missing:
            raise KnowledgeError(f"{path} has no remedies {missing}.", remedy="Add them, or correct [breaches].")
        return cls(found, breaches)

    def of(self, *names: str) -> Remedy:
        """The first remedy there is of a cause, its family …, else the one for ``unknown``: measure before acting."""
        return next((self.table[name] for name in names if name in self.table), self.table[UNKNOWN])

    def of_metric(self, metric: str, family: str, labels: Mapping[str, str] | None = None) -> Remedy:
        """The remedy for a breach of a metric of an entity with some labels."""
        breach = self.breaches.get(metric)
        return self.of(family if breach is None else breach.of(labels or {}))


def _breach(what: str | Mapping[str, Any]) -> BreachRemedy:
    if isinstance(what, str):
        return BreachRemedy(remedy=what)
    return BreachRemedy(remedy=what["remedy"], limited_by=tuple(what["limited_by"]), limited=what["limited"])


def _remedy(name: str, fields: Mapping[str, Any]) -> Remedy:
    try:
        low, high = fields["gain"]
        remedy = Remedy(id=name, **{**fields, "risk": RISKS[fields["risk"]], "gain": (float(low), float(high))})
    except (KeyError, TypeError, ValueError) as error:
        msg = f"Remedy {name!r} cannot be read: {error!r}."
        raise KnowledgeError(msg, remedy=f"Give all of {list(Remedy.__dataclass_fields__)[1:]}.") from error
    for text in (remedy.command, remedy.confirm, remedy.rollback):
        bad = next((pattern for pattern in FORBIDDEN if re.search(pattern, text)), None)
        if bad:
            msg = f"Remedy {name!r} holds {text!r}, which matches the forbidden pattern {bad!r}."
            raise KnowledgeError(msg, remedy="Find a command that can be undone.")
        wrong = [key for key in PLACEHOLDER.findall(text) if key not in PLACEHOLDERS]
        if wrong:
            raise KnowledgeError(f"Remedy {name!r} names {wrong}.", remedy=f"Use the placeholders {PLACEHOLDERS}.")
    if not 0 <= remedy.gain[0] <= remedy.gain[1] <= 1 or remedy.reach not in {"own", "host"}:
        msg = f"Remedy {name!r} has gain {remedy.gain} and reach {remedy.reach!r}."
        raise KnowledgeError(msg, remedy="Give a gain between 0 and 1, low then high, and reach own or host.")
    return remedy


def fill(text: str, entity: str, topology: Topology) -> str:
    """A command with its placeholders filled in; hostile names stay one quoted word, in nested quotes too."""
    line = (entity, *topology.ancestors(entity))
    vm = next((name for name in line if topology[name].kind == EntityKind.VM), entity)
    values = {"entity": entity, "vm": vm, "host": topology.root(entity), "device": entity.rpartition("/")[2]}
    hyphens = [name for name in values.values() if name.startswith("-")]
    if hyphens:
        return f"# {shlex.quote(hyphens[0])} would be read as an option: write this command by hand"
    filled: list[str] = []
    position, quoted = 0, False
    for found in PLACEHOLDER.finditer(text):
        before = text[position : found.start()]
        quoted ^= before.count("'") % 2 == 1
        word = shlex.quote(values[found[1]])
        # Inside '…' the word is quoted once for the remote shell, and that text once more for the local one.
        filled += [before, word.replace("'", "'\"'\"'") if quoted else word]
        position = found.end()
    return "".join([*filled, text[position:]])
