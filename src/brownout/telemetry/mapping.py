"""The mapping from measurements to canonical metrics: ``models/telegraf.toml`` and what a site puts over it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from brownout.domain.entities import Entity
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue, Metric, definitions_folder
from brownout.telemetry.expressions import Expression, parse

__all__ = ["Capture", "EntityRule", "MeasurementSource", "Names", "TelegrafMapping"]

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class EntityRule:
    """How tags name an entity, e.g. ``{host}/{name}``."""

    kind: str
    id: str

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags in the name."""
        return tuple(PLACEHOLDER.findall(self.id))

    def name(self, tags: Mapping[str, str]) -> str:
        """The entity's id; "" where a tag is missing."""
        if any(not tags.get(tag) for tag in self.tags):
            return ""
        return PLACEHOLDER.sub(lambda found: tags[found[1]], self.id)


@dataclass(frozen=True, slots=True)
class Capture:
    """A tag that is the first group of a pattern found in another tag; systemd's escaped hyphens are read."""

    tag: str
    pattern: re.Pattern[str]

    def value(self, tags: Mapping[str, str]) -> str:
        """The captured text, "" where the pattern is not found."""
        found = self.pattern.search(tags.get(self.tag, ""))
        return found[1].replace("\\x2d", "-") if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSource:
    """Canonical metrics made of one measurement for one kind of entity; see the head of ``telegraf.toml``."""

    measurement: str
    entity: tuple[EntityRule, ...]
    metrics: Mapping[str, Expression]
    input: str = ""
    advice: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    exclude: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    capture: Mapping[str, Capture] = field(default_factory=dict)
    only: Mapping[tuple[str, str], float] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields as the database names them."""
        named = (name for expression in self.metrics.values() for name in expression.fields)
        return tuple(dict.fromkeys(self.fields.get(name, name) for name in named))

    @property
    def foreign(self) -> tuple[tuple[str, str], ...]:
        """Measurement and field of others that it needs."""
        found = [pair for expression in self.metrics.values() for pair in expression.foreign]
        return tuple(dict.fromkeys([*found, *self.only]))

    @property
    def averages(self) -> bool:
        """Whether means over a slot serve as well as samples."""
        return not self.only and all(expression.averages for expression in self.metrics.values())

    def takes(self, tags: Mapping[str, str]) -> bool:
        """Whether a series is one of these."""
        return all(tags.get(tag, "") == value for tag, value in self.where.items()) and not any(
            pattern.search(tags.get(tag, "")) for tag, pattern in self.exclude.items()
        )

    def entities(self, tags: Mapping[str, str]) -> tuple[Entity, ...]:
        """The entity of a series and its ancestors, as far up as the tags name them; empty where they name none."""
        chain: list[Entity] = []
        for rule in reversed(self.entity):
            name = rule.name(tags)
            if name:
                labels = {tag: tags[tag] for tag in sorted(rule.tags)}
                parent = chain[-1] if chain else None
                own = labels if parent is None else {**parent.labels, **labels}
                chain.append(Entity(id=name, kind=rule.kind, parent=parent.id if parent else "", labels=own))
        chain.reverse()
        return tuple(chain) if chain and chain[0].kind == self.entity[0].kind else ()


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
    """All sources, checked against the catalogue."""

    sources: tuple[MeasurementSource, ...]

    @classmethod
    def load(cls, site: Path | None = None, *, names: Names | None = None) -> Self:
        """Read the mapping that ships with brownout, then a site's own file of the same form.

        A metric that the site's file maps is no longer taken from where brownout would have it from.
        """
        shipped = _read(definitions_folder() / "telegraf.toml")
        own = _read(site) if site is not None else ()
        taken = {name for source in own for name in source.metrics}
        kept = [_without(source, taken) for source in shipped]
        sources = (*(source for source in kept if source.metrics), *own)
        ids = names.ids if names else {}
        return cls(tuple(_renamed(source, ids) for source in sources))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that the sources make, in the order of the catalogue, those it does not know last."""
        made = {name for source in self.sources for name in source.metrics}
        catalogue = Catalogue.load()
        known = [metric for name, metric in catalogue.metrics.items() if name in made]
        return (*known, *(Metric(name=name) for name in sorted(made - set(catalogue.metrics))))

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
    unknown = sorted(set(table) - set(MeasurementSource.__dataclass_fields__))
    missing = sorted({"measurement", "entity", "metrics"} - set(table))
    if unknown or missing:
        msg = f"{where} has unknown keys {unknown} and lacks {missing}."
        raise KnowledgeError(msg, remedy="Correct its keys; models/telegraf.toml says what they mean.")
    try:
        return MeasurementSource(
            measurement=str(table["measurement"]),
            input=str(table.get("input", "")),
            advice=str(table.get("advice", "")),
            entity=tuple(EntityRule(kind=rule["kind"], id=rule["id"]) for rule in table["entity"]),
            metrics={name: parse(text) for name, text in table["metrics"].items()},
            where=dict(table.get("where", {})),
            exclude={tag: re.compile(pattern) for tag, pattern in table.get("exclude", {}).items()},
            capture={
                tag: Capture(rule["tag"], re.compile(rule["pattern"])) for tag, rule in table.get("capture", {}).items()
            },
            only={_pair(name): float(value) for name, value in table.get("only", {}).items()},
            fields=dict(table.get("fields", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        msg = f"{where} cannot be read: {error}."
        raise KnowledgeError(msg, remedy="Correct it; models/telegraf.toml shows the form.") from error


def _pair(name: str) -> tuple[str, str]:
    measurement, _, column = name.partition(".")
    return measurement, column


def _without(source: MeasurementSource, names: set[str]) -> MeasurementSource:
    return replace(source, metrics={name: made for name, made in source.metrics.items() if name not in names})


def _renamed(source: MeasurementSource, ids: Mapping[str, str]) -> MeasurementSource:
    rules: Sequence[EntityRule] = [EntityRule(rule.kind, ids.get(rule.kind, rule.id)) for rule in source.entity]
    return replace(source, entity=tuple(rules))
