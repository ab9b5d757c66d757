"""The JSON schema of a result, with a description of every field from the docstring of its class."""

import inspect
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from brownout.domain.encoding.codec import adapter_of

__all__ = ["DIALECT", "described_fields", "json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECTION = re.compile(r"^Attributes\n-+\n", re.MULTILINE)


def json_schema(kind: type[object], *, identity: str, earlier: bool = False) -> dict[str, Any]:
    """The schema of what is written for a type; ``identity`` is its ``$id``.

    ``earlier`` is what earlier releases may have written of the same version: without the keys that came later.
    """
    schema = adapter_of(kind).json_schema(
        mode="serialization", schema_generator=_EarlierGenerator if earlier else _Generator
    )
    return {"$schema": DIALECT, "$id": identity, **schema}


def described_fields(kind: type[object]) -> dict[str, str]:
    """What the ``Attributes`` sections of a class and its bases say about each field."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, section = _split(inspect.cleandoc(base.__doc__ or ""))
        for names, text in re.findall(r"^(\w[\w, ]*)\n((?:[ \t]+.*\n?|\n(?=[ \t]))+)", section, re.MULTILINE):
            texts |= dict.fromkeys((name.strip() for name in names.split(",")), _in_json(text))
    return texts


def _in_json(text: str) -> str:
    """A docstring's text in the words of JSON, on one line."""
    return re.sub(r"\b(None|NaN)\b", "null", " ".join(text.replace("``", "`").split()))


def _split(text: str) -> tuple[str, str, str]:
    heading = SECTION.search(text)
    return (text, "", "") if heading is None else (text[: heading.start()], heading[0], text[heading.end() :])


class _Generator(GenerateJsonSchema):
    """Every key is always written; a class is described by its first lines, a field by its attribute's text."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> dict[str, Any]:
        written = super().dataclass_schema(schema)
        texts = described_fields(schema["cls"])
        aliases = {
            field["serialization_alias"]: field["name"]
            for field in schema["schema"]["fields"]
            if "serialization_alias" in field
        }
        for name, part in written.get("properties", {}).items():
            text = texts.get(aliases.get(name, name))
            if text:
                part["description"] = text
        summary = _split(inspect.cleandoc(schema["cls"].__doc__ or ""))[0]
        return written | {"description": _in_json(summary)}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - the name that pydantic calls
        del field, total
        return True


class _EarlierGenerator(_Generator):
    """A field that came within a version has a default, with which what has no such key is read."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - the name that pydantic calls
        del total
        return bool(field["schema"]["type"] != "default")
