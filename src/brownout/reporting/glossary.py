"""The terms of a report in plain words: marked where they stand, listed at its end."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

from brownout.domain.encoding import visible
from brownout.reporting.messages import Language, Messages

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

    ``titles`` are the titles of metrics by name in the language of the report, ``kinds`` the kinds of its entities.
    """

    titles: Mapping[str, str]
    kinds: Collection[str] = ()
    say: Messages = field(default_factory=Messages)
    used: set[str] = field(default_factory=set)

    def plain(self, text: str) -> str:
        """A text for people in their language: names of metrics become their titles."""
        sentence = self.say.sentence(text)
        return (
            _names(tuple(self.titles)).sub(lambda match: self.titles[match[0]], sentence) if self.titles else sentence
        )

    def note(self, text: str) -> str:
        """As ``plain``, and the terms in the text are added to the glossary of the report."""
        plain = self.plain(text)
        known = _by_form(self.say.language)
        self.used.update(known[match[0]].name for match in _forms(self.say.language).finditer(plain))
        return plain

    def mark(self, text: str) -> Markup:
        """As ``note``, as HTML in which each term carries its explanation."""
        shown, parts, position = visible(self.note(text)), list[str](), 0
        for match in _forms(self.say.language).finditer(shown):
            meaning = _by_form(self.say.language)[match[0]].meaning
            parts += [escape(shown[position : match.start()]), ABBREVIATION.format(meaning=meaning, term=match[0])]
            position = match.end()
        return Markup("").join([*parts, escape(shown[position:])])

    def listed(self) -> tuple[Term, ...]:
        """The terms that occurred so far, and those that are too common to be marked, by name."""
        known = terms(self.say.language)
        chosen = [term for term in known if term.name in self.used or (not term.forms and self._has(term.kind))]
        return tuple(sorted(chosen, key=lambda term: term.name.lower()))

    def _has(self, kind: str) -> bool:
        return not kind or kind in self.kinds


@cache
def terms(language: Language = "en") -> tuple[Term, ...]:
    """All terms, from ``assets/glossary.toml``, or from that of another language."""
    name = "glossary.toml" if language == "en" else f"messages/glossary.{language}.toml"
    text = files("brownout.reporting").joinpath("assets", name).read_text(encoding="utf-8")
    entries = tomllib.loads(text)["terms"]
    return tuple(
        Term(name=e["name"], meaning=e["meaning"], forms=tuple(e.get("forms", ())), kind=e.get("kind", ""))
        for e in entries
    )


@cache
def _by_form(language: Language) -> Mapping[str, Term]:
    return {form: term for term in terms(language) for form in term.forms}


@cache
def _forms(language: Language) -> re.Pattern[str]:
    """Any form of any term, the longest first: whole words, where the language has them."""
    any_form = _alternatives(_by_form(language))
    return re.compile(rf"(?<![\w/.-])(?:{any_form})(?![\w/])" if language == "en" else any_form)


@cache
def _names(metrics: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w/.-])(?:{_alternatives(metrics)})(?![\w/-])")


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
