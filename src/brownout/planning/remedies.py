"""Remedies: what can be done about a cause, as data, checked when read."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from brownout.domain.definitions import Definition, nearest, read_definitions
from brownout.domain.errors import KnowledgeError
from brownout.domain.findings import UNKNOWN, Risk
from brownout.domain.metrics import Catalogue, Family, Metric, Role
from brownout.planning.platform_operations import FACTS, PLACEHOLDER, Operations, Platform, check_text, expanded

__all__ = ["Remedies", "Remedy"]

UNLIMITED = ("", "-1", "0")
"""Values of a limit's label that mean none."""
PLANNED = ("rebalance", "rebalance-memory", "move-image", "move-card")
"""Remedies of no cause: what the plan of a night does."""
RISKS = {risk.name.lower(): risk for risk in Risk if risk is not Risk.NONE}
REACHES = ("own", "host")
NAMED = re.compile(r"(?:^|;)\s*@([\w-]+)")
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
    by_hand: str = ""
    check: str = ""
    done: str = ""
    prevention: str = ""
    protocol: str = ""
    otherwise: str = ""
    of_host: bool = False
    """Whether it is done at a host, whichever of its guests is in trouble."""


REMEDY_KEYS = tuple(key for key in Remedy.__dataclass_fields__ if key not in ("id", "of_host", "verify_title"))
OPTIONAL_KEYS = ("reach", "by_hand", "check", "done", "prevention", "protocol", "otherwise")
OF_GUEST = frozenset({"vm", "login", "name", "vmid", "server", "protocol"})


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
    operations: Operations
    families: Mapping[str, str] = field(default_factory=dict)
    """Families of causes by their ids."""

    @classmethod
    def load(cls, site: Path | None = None, *, shipped: Path | None = None, catalogue: Catalogue | None = None) -> Self:
        """Read ``remedies.toml``: the one that ships with brownout, and a site's own over it.

        Raises KnowledgeError naming file, table and value of what is wrong.
        """
        metrics = (catalogue or Catalogue.load(site, shipped=shipped)).metrics
        tables, limits = (read_definitions(name, site=site, shipped=shipped) for name in ("remedies", "breaches"))
        operations = Operations.load(site, shipped=shipped)
        remedies = {name: _remedy(table, metrics, operations) for name, table in tables.items()}
        for name, remedy in remedies.items():
            for other in (remedy.prevention, remedy.otherwise):
                if other and (other not in tables or not tables[other].enabled):
                    raise tables[name].unknown("remedy", other, tables)
        breaches = {metric: _breach(table, metrics) for metric, table in limits.items() if table.enabled}
        for metric, breach in breaches.items():
            for name in (breach.remedy, breach.limited):
                if name and (name not in tables or not tables[name].enabled):
                    raise limits[metric].unknown("remedy", name, tables)
        enabled = {name: remedy for name, remedy in remedies.items() if tables[name].enabled}
        if UNKNOWN not in enabled:
            what = f"No remedy {UNKNOWN!r}: nothing says what to do where no cause is known."
            raise KnowledgeError(what, remedy=f"Add [remedies.{UNKNOWN}].")
        causes = read_definitions("causes", site=site, shipped=shipped)
        families = {name: str(cause.fields.get("family", "")) for name, cause in causes.items()}
        return cls(enabled, breaches, operations, families)

    def family(self, cause: str) -> str:
        """The resource of a cause; empty for one that is not known."""
        return self.families.get(cause, cause)

    def check_ids(self, causes: Collection[str]) -> None:
        """Raise KnowledgeError for a remedy that is of no cause, no family and no breach."""
        breaches = {name for breach in self.breaches.values() for name in (breach.remedy, breach.limited)}
        others = {name for remedy in self.table.values() for name in (remedy.prevention, remedy.otherwise)}
        known = {*causes, *Family, *breaches, *others, *PLANNED, UNKNOWN}
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


def _remedy(definition: Definition, metrics: Mapping[str, Metric], operations: Operations) -> Remedy:
    fields = definition.fields
    definition.check_keys(REMEDY_KEYS, required=(key for key in REMEDY_KEYS if key not in OPTIONAL_KEYS))
    if fields["risk"] not in RISKS:
        raise definition.unknown("risk", fields["risk"], RISKS)
    verify = fields["verify"]
    if verify and verify not in metrics and verify not in ROLE_TITLES:
        raise definition.unknown("metric in verify", verify, metrics)
    computed = {"risk": RISKS[fields["risk"]], "gain": _gain(definition), "verify_title": _in_words(verify, metrics)}
    remedy = Remedy(id=definition.id, **{**fields, **computed})
    if remedy.reach not in REACHES:
        raise definition.unknown("reach", remedy.reach, REACHES)
    if bool(remedy.protocol) != bool(remedy.otherwise):
        raise definition.error("protocol and otherwise belong together.", remedy="Give both or none.")
    if remedy.command and remedy.command == remedy.confirm:
        raise definition.error("confirm and command are the same.", remedy="Confirm with what only reads.")
    known = {*FACTS, *operations.unknowns}
    for text in (remedy.command, remedy.confirm, remedy.rollback, remedy.check):
        for operation in NAMED.findall(text):
            if operation not in operations.table:
                raise definition.unknown("operation", operation, operations.table)
        check_text(definition, text, known)
    return replace(remedy, of_host=_is_of_host(remedy, operations))


def _is_of_host(remedy: Remedy, operations: Operations) -> bool:
    text = remedy.command
    if text.startswith("@"):
        text = operations.on(text[1:], Platform.LIBVIRT).do
    return bool(text) and not OF_GUEST & set(PLACEHOLDER.findall(expanded(text)))


def _in_words(verify: str, metrics: Mapping[str, Metric]) -> str:
    """Title and unit of a metric, or what a role measures."""
    metric = metrics.get(verify)
    if metric is None:
        return ROLE_TITLES.get(verify, "")
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def _gain(definition: Definition) -> tuple[float, float]:
    """The share of the excess that a remedy takes away, low then high."""
    shares = definition.fields["gain"]
    try:
        low, high = map(float, shares)
    except (TypeError, ValueError) as error:
        what = f"gain = {shares!r} cannot be read: {error}."
        raise definition.error(what, remedy="Give two shares, low then high.") from error
    if not 0 <= low <= high <= 1:
        raise definition.error(f"gain = {list(shares)}.", remedy="Give a gain between 0 and 1, low then high.")
    return low, high
