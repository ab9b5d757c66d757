"""Remedies: what can be done about a cause, as data, checked when read."""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from brownout.domain.definitions import Definition, nearest, read_definitions
from brownout.domain.entities import EntityKind, Topology
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Risk
from brownout.domain.metrics import Catalogue, Family, Metric, Role

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
REACHES = ("own", "host")
ROLE_TITLES: Mapping[str, str] = {
    Role.CPU: "CPU use",
    Role.MEMORY: "memory use",
    Role.DISK_READ: "reading from disk",
    Role.DISK_WRITE: "writing to disk",
    Role.NETWORK_IN: "network traffic received",
    Role.NETWORK_OUT: "network traffic sent",
    Role.LATENCY: "latency",
    Role.LOAD: "load",
    Role.ERRORS: "errors",
    Role.REQUESTS: "requests",
}
"""Roles in words: what a remedy for metrics that no catalogue knows is verified by."""
BREACH_KEYS = ("remedy", "limited_by", "limited")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do about a cause; see ``models/knowledge/remedies.toml``. ``verify_title`` is its metric in words."""

    id: str
    title: str
    command: str
    confirm: str
    verify: str
    risk: Risk
    rollback: str
    gain: tuple[float, float]
    reach: str = "own"
    verify_title: str = ""

    @property
    def of_host(self) -> bool:
        """Whether the command is about a host, whichever of its guests is in trouble."""
        return set(PLACEHOLDER.findall(self.command)) == {"host"}


REMEDY_KEYS = tuple(key for key in Remedy.__dataclass_fields__ if key not in {"id", "verify_title"})


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
    def load(cls, site: Path | None = None, *, shipped: Path | None = None, catalogue: Catalogue | None = None) -> Self:
        """Read ``remedies.toml``: the one that ships with brownout, and a site's own over it.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        metrics = (catalogue or Catalogue.load(site, shipped=shipped)).metrics
        tables, limits = (read_definitions(name, site=site, shipped=shipped) for name in ("remedies", "breaches"))
        remedies = {name: _remedy(table, metrics) for name, table in tables.items()}
        breaches = {metric: _breach(table, metrics) for metric, table in limits.items() if table.enabled}
        for metric, breach in breaches.items():
            for name in (breach.remedy, breach.limited):
                if name and (name not in tables or not tables[name].enabled):
                    raise limits[metric].unknown("remedy", name, tables)
        kept = {name: remedy for name, remedy in remedies.items() if tables[name].enabled}
        if UNKNOWN not in kept:
            what = f"No remedy {UNKNOWN!r}: nothing says what to do where no cause is known."
            raise KnowledgeError(what, remedy=f"Add [remedies.{UNKNOWN}].")
        return cls(kept, breaches)

    def check_ids(self, causes: Collection[str]) -> None:
        """Raise KnowledgeError for a remedy that is of no cause, no family and no breach."""
        breaches = {name for breach in self.breaches.values() for name in (breach.remedy, breach.limited)}
        known = {*causes, *Family, *breaches, UNKNOWN}
        for name in self.table:
            if name not in known:
                what = f"remedies.toml, [remedies.{name}]: {name!r} is no cause."
                raise KnowledgeError(what, remedy=nearest(name, known - {""}))

    def of(self, *names: str) -> Remedy:
        """The first remedy there is of a cause, its family …, else the one for ``unknown``: measure before acting."""
        return next((self.table[name] for name in names if name in self.table), self.table[UNKNOWN])

    def of_metric(self, metric: str, family: str, labels: Mapping[str, str] | None = None) -> Remedy:
        """The remedy for a breach of a metric of an entity with some labels."""
        breach = self.breaches.get(metric)
        return self.of(family if breach is None else breach.of(labels or {}))


def _breach(definition: Definition, metrics: Collection[str]) -> BreachRemedy:
    if definition.id not in metrics:
        raise definition.unknown("metric", definition.id, metrics)
    fields = definition.fields
    if isinstance(fields, str):
        return BreachRemedy(remedy=fields)
    definition.check_keys(BREACH_KEYS, required=BREACH_KEYS)
    return BreachRemedy(remedy=fields["remedy"], limited_by=tuple(fields["limited_by"]), limited=fields["limited"])


def _remedy(definition: Definition, metrics: Mapping[str, Metric]) -> Remedy:
    fields = definition.fields
    definition.check_keys(REMEDY_KEYS, required=(key for key in REMEDY_KEYS if key != "reach"))
    if fields["risk"] not in RISKS:
        raise definition.unknown("risk", fields["risk"], RISKS)
    try:
        low, high = fields["gain"]
        gain = float(low), float(high)
    except (TypeError, ValueError) as error:
        what = f"gain = {fields['gain']!r} cannot be read: {error}."
        raise definition.error(what, remedy="Give two shares, low then high.") from error
    verify = fields["verify"]
    if verify and verify not in metrics and verify not in ROLE_TITLES:
        raise definition.unknown("metric in verify", verify, metrics)
    values = {**fields, "risk": RISKS[fields["risk"]], "gain": gain, "verify_title": _in_words(verify, metrics)}
    remedy = Remedy(id=definition.id, **values)
    if remedy.reach not in REACHES:
        raise definition.unknown("reach", remedy.reach, REACHES)
    if not 0 <= gain[0] <= gain[1] <= 1:
        raise definition.error(f"gain = {list(gain)}.", remedy="Give a gain between 0 and 1, low then high.")
    for text in (remedy.command, remedy.confirm, remedy.rollback):
        _check_command(definition, text)
    return remedy


def _in_words(verify: str, metrics: Mapping[str, Metric]) -> str:
    """Title and unit of a metric, or what a role measures."""
    metric = metrics.get(verify)
    if metric is None:
        return ROLE_TITLES.get(verify, "")
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def _check_command(definition: Definition, text: str) -> None:
    bad = next((pattern for pattern in FORBIDDEN if re.search(pattern, text)), None)
    if bad:
        what = f"it holds {text!r}, which matches the forbidden pattern {bad!r}."
        raise definition.error(what, remedy="Find a command that can be undone.")
    for name in PLACEHOLDER.findall(text):
        if name not in PLACEHOLDERS:
            raise definition.unknown("placeholder", name, PLACEHOLDERS)


def fill(text: str, entity: str, topology: Topology) -> str:
    """A command with its placeholders filled in; hostile names stay one quoted word, in nested quotes too."""
    line = (entity, *topology.ancestors(entity))
    vm = next((name for name in line if topology[name].kind == EntityKind.VM), entity)
    values = {"entity": entity, "vm": vm, "host": topology.root(entity), "device": entity.rpartition("/")[2]}
    hyphens = [name for name in values.values() if name.startswith("-")]
    if hyphens:
        return f"# {shlex.quote(hyphens[0])} would be read as an option: write this command by hand"
    parts: list[str] = []
    position, quoted = 0, False
    for placeholder in PLACEHOLDER.finditer(text):
        before = text[position : placeholder.start()]
        quoted ^= before.count("'") % 2 == 1
        word = shlex.quote(values[placeholder[1]])
        # Inside '…' the word is quoted once for the remote shell, and that text once more for the local one.
        parts += [before, word.replace("'", "'\"'\"'") if quoted else word]
        position = placeholder.end()
    return "".join([*parts, text[position:]])
