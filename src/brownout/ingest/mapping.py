"""The mapping from measurements to metrics: ``models/telegraf.toml``, other collectors' files, a site's own."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from brownout.domain.definitions import definitions_folder
from brownout.domain.entities import Entity, EntityKind
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue, Metric
from brownout.ingest.expressions import Expression, parse
from brownout.ingest.raw import MeasurementSchema

__all__ = ["Capture", "EntityRule", "MeasurementSource", "Names", "Need", "TelegrafMapping"]

ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
LABELLED = "known"
"""Field of measurements whose tags are labels, or that are left out: a series needs one to be there."""
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class EntityRule:
    """How tags name an entity, e.g. ``{host}/{name}``; of ``{scraped|host}`` the first one that is there."""

    kind: str
    id: str

    @property
    def alternatives(self) -> tuple[tuple[str, ...], ...]:
        """Tags in the name, those of which one is enough together."""
        return tuple(tuple(placeholder.split("|")) for placeholder in PLACEHOLDER.findall(self.id))

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags in the name."""
        return tuple(tag for either in self.alternatives for tag in either)

    def name(self, tags: Mapping[str, str]) -> str:
        """The entity's id; "" where a tag is missing."""
        if not all(any(tags.get(tag) for tag in either) for either in self.alternatives):
            return ""
        return PLACEHOLDER.sub(lambda match: next(tags[tag] for tag in match[1].split("|") if tags.get(tag)), self.id)


@dataclass(frozen=True, slots=True)
class Capture:
    """A tag that is the first group found of a pattern in another tag; what systemd escaped in it is read."""

    tag: str
    pattern: re.Pattern[str]

    def value(self, tags: Mapping[str, str]) -> str:
        """The captured text, "" where the pattern is not found."""
        match = self.pattern.search(tags.get(self.tag, ""))
        return _unescaped(next((part for part in match.groups() if part), "")) if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a host must have for an input: a program or a path, and what a person calls it."""

    said: str
    program: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """Samples beside a source's own, under a name for expressions: of another measurement, or with another tag."""

    measurement: str
    where: Mapping[str, str]
    fields: Mapping[str, str]


def _unescaped(name: str) -> str:
    r"""A name whose bytes other than letters and digits systemd wrote as ``\x2d``."""
    if "\\x" not in name:
        return name
    parts = ESCAPED.split(name.encode())
    raw = b"".join(part if position % 2 == 0 else bytes([int(part, 16)]) for position, part in enumerate(parts))
    return raw.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSource:
    """Canonical metrics made of one measurement for one kind of entity; see the head of ``telegraf.toml``."""

    measurement: str
    entity: tuple[EntityRule, ...]
    metrics: Mapping[str, Expression]
    input: str = ""
    advice: str = ""
    needs_there: Need | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    exclude: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    guess: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    capture: Mapping[str, Capture] = field(default_factory=dict)
    only: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    related: Mapping[str, Related] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    key: str = ""
    title: tuple[str, ...] = ()
    hold_s: int = 0
    left_out: bool = False
    collector: str = "telegraf"

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields as the database names them."""
        named = [name for expression in self.metrics.values() for name in expression.fields]
        named += [LABELLED] if self.labels or self.left_out else []
        return tuple(dict.fromkeys(self.fields.get(name, name) for name in named))

    @property
    def foreign(self) -> tuple[tuple[str, str], ...]:
        """Measurement and field of others that it needs."""
        fields = [self.beside(*pair)[:2] for expression in self.metrics.values() for pair in expression.foreign]
        return tuple(dict.fromkeys([*fields, *self.only]))

    def beside(self, name: str, column: str) -> tuple[str, str, Mapping[str, str]]:
        """Measurement and field of a name in an expression, and the tags that its samples have."""
        if name not in self.related:
            return name, column, {}
        other = self.related[name]
        return other.measurement, other.fields.get(column, column), other.where

    def makes(self, schemas: Mapping[str, MeasurementSchema]) -> tuple[str, ...]:
        """Metrics that can be made of what a database holds."""
        own = schemas.get(self.measurement)
        if own is None or set(self.where) - set(own.tags):
            return ()

        def has(name: str, column: str) -> bool:
            if not name:
                return self.fields.get(column, column) in own.fields
            measurement, column, _ = self.beside(name, column)
            return measurement in schemas and column in schemas[measurement].fields

        return tuple(name for name, expression in self.metrics.items() if expression.works_with(has))

    def in_use(self, schemas: Mapping[str, MeasurementSchema]) -> bool:
        """Whether a database holds anything for it."""
        own = schemas.get(self.measurement)
        if self.makes(schemas):
            return True
        if own is None or not (self.labels or self.left_out) or set(self.where) - set(own.tags):
            return False
        return self.fields.get(LABELLED, LABELLED) in own.fields

    @property
    def averages(self) -> bool:
        """Whether means over a slot serve as well as samples."""
        return (
            not self.only
            and not self.guess
            and not self.labels
            and all(expression.averages for expression in self.metrics.values())
        )

    def tells_of(self, kind: str) -> bool:
        """Whether the tags name such an entity."""
        return any(rule.kind == kind for rule in self.entity)

    def naming(self, kind: str) -> frozenset[str]:
        """Tags that name an entity of a kind and none that it belongs to."""
        rules = [rule for rule in self.entity if rule.kind == kind]
        above = {tag for position, rule in enumerate(self.entity) if rule.kind != kind for tag in rule.tags
                 if position > min((self.entity.index(own) for own in rules), default=0)}  # fmt: skip
        return frozenset(tag for rule in rules for tag in rule.tags) - above

    def takes(self, tags: Mapping[str, str]) -> bool:
        """Whether a series is one of these."""
        return all(tags.get(tag, "") == value for tag, value in self.where.items()) and not any(
            pattern.search(tags.get(tag, "")) for tag, pattern in self.exclude.items()
        )

    def guessed_away(self, tags: Mapping[str, str]) -> bool:
        """Whether a name looks like that of something that is not the entity's own, where no fact says."""
        return any(pattern.search(tags.get(tag, "")) for tag, pattern in self.guess.items())

    def entities(self, tags: Mapping[str, str], written: Mapping[str, str] | None = None) -> tuple[Entity, ...]:
        """The entity of a series and its ancestors, as far up as the tags name them; empty where they name none.

        ``written`` are the tags as the database has them, where a site has other names for some: points that are
        written back carry these.
        """
        values = {**tags, **(written or {})}
        chain: list[Entity] = []
        for rule in reversed(self.entity):
            name = rule.name(tags)
            if name:
                labels = {tag: values[tag] for tag in sorted(rule.tags) if values.get(tag)}
                parent = chain[-1] if chain else Entity(id="")
                own = {**parent.labels, **labels}
                named = tuple(sorted(own))
                chain.append(Entity(id=name, kind=rule.kind, parent=parent.id, labels=own, named_by=named))
        chain.reverse()
        return tuple(chain) if chain and chain[0].kind == self.entity[0].kind else ()

    def facts(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Labels that a series gives its entity; "" for those that it has no tag for."""
        labels = {label: tags.get(label, "") for label in self.labels}
        return labels | {self.key: tags[self.key]} if tags.get(self.key) else labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a site calls things, over what the mapping says.

    Attributes
    ----------
    ids
        Id template by kind of entity, e.g. ``vm = "{host}/{domain_name}"`` where names repeat on several hosts.
    aliases
        By tag: other names for its values, e.g. ``url = {"10.0.8.21" = "kvm1"}``.
    hosts
        Patterns (``kvm*``) of the hypervisors' ``host`` tags; empty = all. Keeps agents inside guests apart.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TelegrafMapping:
    """All sources, with the catalogue that says what their metrics mean."""

    sources: tuple[MeasurementSource, ...]
    catalogue: Catalogue

    @classmethod
    def load(cls, site: Path | None = None, *, names: Names | None = None, catalogue: Catalogue | None = None) -> Self:
        """Read the mapping that ships with brownout, then a site's own file of the same form.

        A metric that the site's file maps is no longer taken from where brownout would have it from. Without a
        ``catalogue`` metrics mean what those that ship say.
        """
        folder = definitions_folder()
        shipped = [
            source
            for path in (folder / "telegraf.toml", *sorted((folder / "collectors").glob("*.toml")))
            for source in _read(path)
        ]
        own = _read(site) if site is not None else ()
        mapped_by_site = {name for source in own for name in source.metrics}
        remaining = [_without(source, mapped_by_site) for source in shipped]
        sources = (*(source for source in remaining if source.metrics or source.labels or source.left_out), *own)
        ids = names.ids if names else {}
        return cls(tuple(_renamed(source, ids) for source in sources), catalogue or Catalogue.load())

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that the sources make, in the order of the catalogue, those it does not know last."""
        mapped = {name for source in self.sources for name in source.metrics}
        known = [metric for name, metric in self.catalogue.metrics.items() if name in mapped]
        return (*known, *(Metric(name=name) for name in sorted(mapped - set(self.catalogue.metrics))))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Labels of guests that outlast a name."""
        return tuple(dict.fromkeys(source.key for source in self.sources if source.key))

    @cached_property
    def host_tags(self) -> frozenset[str]:
        """Tags that name a host anywhere."""
        return frozenset().union(*(source.naming(EntityKind.HOST) for source in self.sources))

    @property
    def measurements(self) -> Mapping[str, tuple[MeasurementSource, ...]]:
        """Sources by measurement."""
        table: dict[str, list[MeasurementSource]] = {}
        for source in self.sources:
            table.setdefault(source.measurement, []).append(source)
        return {name: tuple(sources) for name, sources in table.items()}


def _read(path: Path) -> tuple[MeasurementSource, ...]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(f"The mapping {path} cannot be read: {error}.", remedy="Correct the file.") from error
    if set(table) - {"sources"}:
        msg = f"{path} has unknown tables {sorted(set(table) - {'sources'})}."
        raise KnowledgeError(msg, remedy="Write [[sources]] tables, as models/telegraf.toml does.")
    return tuple(_source(fields, path) for fields in table.get("sources", []))


def _source(table: Mapping[str, Any], path: Path) -> MeasurementSource:
    where = f"The source {table.get('measurement')!r} in {path.name}"
    unknown = sorted(
        set(table) - ((set(MeasurementSource.__dataclass_fields__) | {"needs"}) - {"collector", "needs_there"})
    )
    missing = sorted({"measurement", "entity"} - set(table)) + (
        [] if {"metrics", "labels", "left_out"} & set(table) else ["metrics"]
    )
    if unknown or missing:
        msg = f"{where} has unknown keys {unknown} and lacks {missing}."
        raise KnowledgeError(msg, remedy="Correct its keys; models/telegraf.toml says what they mean.")
    try:
        return MeasurementSource(
            measurement=str(table["measurement"]),
            input=str(table.get("input", "")),
            advice=str(table.get("advice", "")),
            needs_there=Need(**table["needs"]) if "needs" in table else None,
            entity=tuple(EntityRule(kind=rule["kind"], id=rule["id"]) for rule in table["entity"]),
            metrics={name: parse(text) for name, text in table.get("metrics", {}).items()},
            where=dict(table.get("where", {})),
            exclude=_patterns(table.get("exclude", {})),
            guess=_patterns(table.get("guess", {})),
            capture={
                tag: Capture(rule["tag"], re.compile(rule["pattern"])) for tag, rule in table.get("capture", {}).items()
            },
            only={_pair(name): tuple(map(float, values)) for name, values in table.get("only", {}).items()},
            fields=dict(table.get("fields", {})),
            related={
                name: Related(rule["measurement"], dict(rule.get("where", {})), dict(rule.get("fields", {})))
                for name, rule in table.get("related", {}).items()
            },
            labels=tuple(table.get("labels", ())),
            key=str(table.get("key", "")),
            title=tuple(table.get("title", ())),
            collector=path.stem,
            hold_s=int(table.get("hold_s", 0)),
            left_out=bool(table.get("left_out", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        msg = f"{where} cannot be read: {error}."
        raise KnowledgeError(msg, remedy="Correct it; models/telegraf.toml shows the form.") from error


def _patterns(table: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {tag: re.compile(pattern) for tag, pattern in table.items()}


def _pair(name: str) -> tuple[str, str]:
    measurement, _, column = name.partition(".")
    return measurement, column


def _without(source: MeasurementSource, names: set[str]) -> MeasurementSource:
    return replace(
        source, metrics={name: expression for name, expression in source.metrics.items() if name not in names}
    )


def _renamed(source: MeasurementSource, ids: Mapping[str, str]) -> MeasurementSource:
    rules: Sequence[EntityRule] = [EntityRule(rule.kind, ids.get(rule.kind, rule.id)) for rule in source.entity]
    return replace(source, entity=tuple(rules))
