"""The terms of a report in plain words: marked where they stand, listed at its end."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

from brownout.domain.encoding import visible

__all__ = ["Glossary", "Term", "terms"]


ABBREVIATION = Markup('<abbr title="{meaning}">{term}</abbr>')
"""Its ``format`` escapes what is filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term and what it means.

    ``forms`` are how it stands in a text, none for one that is not marked there but listed; ``kind`` is the kind of
    entity that a report must have for that, empty for any.
    """

    name: str
    meaning: str
    forms: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Glossary:
    """Marks terms in the texts of one report, remembers which occurred, and writes metrics by their titles.

    ``titles`` are the titles of metrics by name, ``kinds`` the kinds of entities of the report.
    """

    titles: Mapping[str, str]
    kinds: Collection[str] = ()
    seen: set[str] = field(default_factory=set)

    def plain(self, text: str) -> str:
        """A text for people: names of metrics become their titles."""
        return _names(tuple(self.titles)).sub(lambda found: self.titles[found[0]], text) if self.titles else text

    def note(self, text: str) -> str:
        """The same, and the terms in it are in the glossary of the report."""
        plain = self.plain(text)
        self.seen.update(_by_form()[found[0]].name for found in _forms().finditer(plain))
        return plain

    def mark(self, text: str) -> Markup:
        """The same as HTML in which each term explains itself."""
        shown, parts, position = visible(self.note(text)), list[str](), 0
        for found in _forms().finditer(shown):
            meaning = _by_form()[found[0]].meaning
            parts += [escape(shown[position : found.start()]), ABBREVIATION.format(meaning=meaning, term=found[0])]
            position = found.end()
        return Markup("").join([*parts, escape(shown[position:])])

    def listed(self) -> tuple[Term, ...]:
        """The terms that occurred so far, and those that are too common to be marked, by name."""
        chosen = [term for term in terms() if term.name in self.seen or (not term.forms and self._has(term.kind))]
        return tuple(sorted(chosen, key=lambda term: term.name.lower()))

    def _has(self, kind: str) -> bool:
        return not kind or kind in self.kinds


@cache
def terms() -> tuple[Term, ...]:
    """All terms, from ``assets/glossary.toml``."""
    text = files("brownout.reporting").joinpath("assets", "glossary.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)["terms"]
    return tuple(
        Term(name=e["name"], meaning=e["meaning"], forms=tuple(e.get("forms", ())), kind=e.get("kind", ""))
        for e in entries
    )


@cache
def _by_form() -> Mapping[str, Term]:
    return {form: term for term in terms() for form in term.forms}


@cache
def _forms() -> re.Pattern[str]:
    """Any form of any term, the longest first, as whole words."""
    return re.compile(rf"(?<![\w/.-])(?:{_alternatives(_by_form())})(?![\w/])")


@cache
def _names(metrics: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w/.-])(?:{_alternatives(metrics)})(?![\w/-])")


def _alternatives(words: Mapping[str, object] | tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
