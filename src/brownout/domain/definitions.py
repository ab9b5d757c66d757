"""Definition files: the reviewed TOML tables that ship with brownout, and a site's own tables over them.

A site's folder holds files of the same names (``causes.toml``, ``rules.toml`` …). A table with a new id is added; a
table with a known id replaces the keys that it gives; ``enabled = false`` takes a definition out.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from brownout.domain.errors import KnowledgeError

__all__ = ["Definition", "definitions_folder", "lock_file", "nearest", "read_definitions"]

PACKAGE = Path(__file__).parents[1]
CHECKOUT = Path(__file__).parents[3]

FILES: Mapping[str, str] = {
    "metrics": "catalogue.toml",
    "figures": "catalogue.toml",
    "spread_floors": "catalogue.toml",
    "rules": "rules.toml",
    "symptoms": "knowledge/symptoms.toml",
    "causes": "knowledge/causes.toml",
    "learned": "knowledge/learned.toml",
    "remedies": "knowledge/remedies.toml",
    "breaches": "knowledge/remedies.toml",
    "operations": "knowledge/operations.toml",
    "unknowns": "knowledge/unknowns.toml",
    "faults": "simulation/faults.toml",
    "plain": "simulation/faults.toml",
    "drivers": "simulation/drivers.toml",
    "measurements": "simulation/measurements.toml",
    "review": "review.toml",
}
"""File of each section below ``models/``; a site's folder holds them side by side."""
OPTIONAL = frozenset({"learned"})
"""Sections that need not ship."""
MAPPING = "telegraf.toml"
"""A site's mapping of collectors may lie in the same folder; the settings name it as ``influxdb.mapping``."""


def definitions_folder() -> Path:
    """Folder of the reviewed definitions: the repository's ``models/``, which a wheel carries as ``definitions/``."""
    shipped = PACKAGE / "definitions"
    return shipped if shipped.is_dir() else CHECKOUT / "models"


def lock_file() -> Path:
    """``constraints.txt``: the versions that this brownout was tested with."""
    shipped = PACKAGE / "constraints.txt"
    return shipped if shipped.is_file() else CHECKOUT / "constraints.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One table of a definition file.

    Attributes
    ----------
    fields
        Its keys and values, those of a site over those that ship; a plain value where the section holds values.
    file
        The file that gave it, or changed it last.
    enabled
        False where a site took it out: its name is known, but nothing uses it.
    site_keys
        Keys that a site's file gave.
    """

    section: str
    id: str
    fields: Any
    file: Path
    enabled: bool = True
    site_keys: frozenset[str] = frozenset()

    def error(self, what: str, *, remedy: str) -> KnowledgeError:
        """An error that names file and table."""
        return KnowledgeError(f"{self.file}, [{self.section}.{self.id}]: {what}", remedy=remedy)

    def unknown(self, what: str, value: object, known: Iterable[str]) -> KnowledgeError:
        """An error about a name that does not exist, with the nearest name that does."""
        return self.error(f"unknown {what} {value!r}.", remedy=nearest(value, known))

    def check_keys(self, known: Iterable[str], *, required: Iterable[str] = ()) -> None:
        """Raise KnowledgeError for a key that is not known, or for a required one that is missing."""
        allowed = list(known)
        for key in self.fields:
            if key not in allowed:
                raise self.unknown("key", key, allowed)
        missing = [key for key in required if key not in self.fields]
        if missing:
            raise self.error(f"keys {missing} are missing.", remedy="Add them.")


def nearest(value: object, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest known one, else all of them where they are few."""
    names = sorted(map(str, known))
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Use one of {', '.join(names)}." if len(names) <= 24 else "Use a name that is defined."


def read_definitions(section: str, *, site: Path | None = None, shipped: Path | None = None) -> dict[str, Definition]:
    """Tables of a section by id, in the order of the shipped file, then of the site's.

    Raises KnowledgeError for a file that cannot be read, is not known, or holds a section that it should not.
    """
    path = (shipped or definitions_folder()) / FILES[section]
    table = {} if section in OPTIONAL and not path.exists() else _sections(path)[section]
    definitions = {
        name: Definition(section=section, id=name, fields=fields, file=path, enabled=enabled)
        for name, fields, enabled in _entries(path, section, table)
    }
    for name, fields, enabled in _site_entries(section, site):
        before = definitions[name].fields if name in definitions else {}
        merged = isinstance(before, Mapping) and isinstance(fields, Mapping)
        definitions[name] = Definition(
            section=section,
            id=name,
            fields={**before, **fields} if merged else fields,
            file=_site_file(section, site),
            enabled=enabled,
            site_keys=frozenset(fields) if isinstance(fields, Mapping) else frozenset(),
        )
    return definitions


def _site_entries(section: str, site: Path | None) -> list[tuple[str, Any, bool]]:
    if site is None:
        return []
    if not site.is_dir():
        raise KnowledgeError(
            f"The knowledge folder {site} is not a folder.", remedy="Correct `knowledge` in the settings."
        )
    names = {MAPPING, *(Path(file).name for file in FILES.values())}
    for path in sorted(site.glob("*.toml")):
        if path.name not in names:
            raise KnowledgeError(f"{path} is no definition file.", remedy=nearest(path.name, names))
    path = _site_file(section, site)
    return _entries(path, section, _sections(path).get(section, {})) if path.exists() else []


def _site_file(section: str, site: Path | None) -> Path:
    return (site or Path()) / Path(FILES[section]).name


@lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping[str, Any]:
    """The tables of a file, parsed once for equal texts, as a night reads the same files dozens of times. Read only."""
    return tomllib.loads(text)


def _sections(path: Path) -> dict[str, Any]:
    """Top-level tables of a file, all of which belong to it."""
    try:
        tables = _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read: {error}.", remedy="Correct the TOML file.") from error
    own = [section for section, file in FILES.items() if Path(file).name == path.name]
    for name in tables:
        if name not in own:
            raise KnowledgeError(f"{path}: unknown table {name!r}.", remedy=nearest(name, own))
    return {**{section: {} for section in own}, **tables}


def _entries(path: Path, section: str, tables: Any) -> list[tuple[str, Any, bool]]:
    """Id, fields and whether it is enabled, of tables by id or of a list of tables that each have an id."""
    if isinstance(tables, list):
        ids = [table.get("id", "") for table in tables]
        twice = next((name for name in ids if not name or ids.count(name) > 1), None)
        if twice is not None:
            msg = f"{path}: the id {twice!r} stands {ids.count(twice)} times in [[{section}]]."
            raise KnowledgeError(msg, remedy="Give each table an id of its own.")
        tables = dict(zip(ids, tables, strict=True))
    if not isinstance(tables, Mapping):
        raise KnowledgeError(f"{path}: {section} is no table.", remedy=f"Write tables [{section}.ID].")
    entries = []
    for name, fields in tables.items():
        enabled = fields.get("enabled", True) if isinstance(fields, Mapping) else True
        if not isinstance(enabled, bool):
            msg = f"{path}, [{section}.{name}]: enabled is {enabled!r}."
            raise KnowledgeError(msg, remedy="Write true or false.")
        values = {k: v for k, v in fields.items() if k != "enabled"} if isinstance(fields, Mapping) else fields
        entries.append((str(name), values, enabled))
    return entries
