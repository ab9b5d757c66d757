"""The words of a report in its language: texts are written in English, and a catalogue holds them in others."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

__all__ = ["LANGUAGES", "Language", "Messages", "catalogue"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
NOT_MEASURED = "not measured: "
"""How evidence begins that nobody measured."""
PATTERNS = ("statements", "sentences", "missing")
"""Tables of texts that hold names and numbers when they arrive."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Texts in a language; one that its catalogue does not have stays English."""

    language: Language = "en"
    table: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, language: Language) -> "Messages":
        """The catalogue of a language."""
        return cls(language, catalogue(language))

    def __call__(self, text: str, **values: object) -> str:
        """A text with its values filled in."""
        translated = self.table.get(text, text)
        return translated.format(**values) if values else translated

    def plural(self, one: str, many: str, number: int, **values: object) -> str:
        """The first text for one, the second for any other number; both may hold ``{number}``."""
        return self(one if number == 1 else many, number=number, **values)

    def sentence(self, text: str) -> str:
        """What a night says in words of its knowledge base, such as a piece of evidence, in the language."""
        if not self.table or text in self.table:
            return self.table.get(text, text)
        return self("; ").join(self._statement(part) for part in text.split("; "))

    def _statement(self, text: str) -> str:
        if text.startswith(NOT_MEASURED):
            return self._missing(text)
        for pattern, translated in _patterns(self.language):
            match = pattern.fullmatch(text)
            if match:
                return translated.format(**{name: self(value) for name, value in match.groupdict().items()})
        return self(text)

    def _missing(self, text: str) -> str:
        """What nobody measured, and at which places: one or several that would say the same."""
        places, missing = _tables(self.language)["places"], _tables(self.language)["missing"]
        wanted = rf"(?P<what>.+?) (?P<place>{'|'.join(map(re.escape, places))})(?: or |$)"
        matches = [*re.finditer(wanted, text.removeprefix(NOT_MEASURED))]
        if not matches or matches[-1].end() != len(text) - len(NOT_MEASURED):
            return text
        parts = [
            missing["{what} {place}"].format(what=self._value(f["what"]), place=places[f["place"]]) for f in matches
        ]
        return missing[NOT_MEASURED] + missing[" or "].join(parts)

    def _value(self, text: str) -> str:
        """A metric or a configuration as evidence calls it, with a small first letter, in the language."""
        return self.table.get(text) or self.table.get(text[:1].upper() + text[1:], text)


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """English texts and what they are in a language, from ``assets/messages/``; empty for English."""
    if language == "en":
        return {}
    tables = _tables(language)
    return {
        text: translation
        for name, table in tables.items()
        if name not in PATTERNS
        for text, translation in table.items()
    }


@cache
def _tables(language: Language) -> Mapping[str, Mapping[str, str]]:
    folder = files("brownout.reporting").joinpath("assets", "messages")
    tables: dict[str, dict[str, str]] = {}
    for part in ("page", "knowledge", "statements", "evidence"):
        text = folder.joinpath(f"{part}.{language}.toml").read_text(encoding="utf-8")
        for name, table in tomllib.loads(text).items():
            tables.setdefault(name, {}).update(table)
    return tables


@cache
def _patterns(language: Language) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Statements of symptoms, which hold names and numbers, the longest first."""
    tables = _tables(language)
    ordered = sorted({**tables["statements"], **tables["sentences"]}.items(), key=lambda item: -len(item[0]))
    return tuple((re.compile(_pattern(text)), translation) for text, translation in ordered)


def _pattern(text: str) -> str:
    parts = re.split(r"\{(\w+)\}", text)
    names: set[str] = set()
    pieces = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pieces.append(re.escape(part))
        else:
            pieces.append(f"(?P={part})" if part in names else f"(?P<{part}>.+?)")
            names.add(part)
    return "".join(pieces)
