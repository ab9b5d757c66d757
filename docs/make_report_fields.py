"""Write the fields of ``report.json`` and its schema for the docs: ``python docs/make_report_fields.py``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brownout.reporting import report_schema

PAGE = Path(__file__).parent / "report.md"
SCHEMA = Path(__file__).parent / "report.schema.json"
BEGIN = "<!-- fields of report.json, written by docs/make_report_fields.py -->"
END = "<!-- end of the fields -->"


def page(text: str) -> str:
    """A page with the tables between its two marks renewed."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n\n" + tables(report_schema()) + "\n" + END + rest.partition(END)[2]


def tables(schema: Mapping[str, Any]) -> str:
    """A table of the document, then one of each part, in the order in which they are first named."""
    parts: Mapping[str, Mapping[str, Any]] = schema["$defs"]
    order = list(dict.fromkeys(_named(schema, parts)))
    return "\n".join([_table("The document", schema), *(_table(name, parts[name]) for name in order)])


def _named(part: Any, parts: Mapping[str, Any]) -> list[str]:
    """Names of all parts that a part names, each with what it names."""
    if isinstance(part, Mapping):
        reference = part.get("$ref")
        if reference is not None:
            name = reference.rpartition("/")[2]
            return [name, *_named(parts[name], parts)]
        return [name for key, value in part.items() if key != "$defs" for name in _named(value, parts)]
    return [name for value in part for name in _named(value, parts)] if isinstance(part, list) else []


def _table(name: str, part: Mapping[str, Any]) -> str:
    if "enum" in part:
        values = ", ".join(f"`{value}`" for value in part["enum"])
        return f"### {name}\n\n{part['description']} One of {values}.\n"
    rows = [f"| `{field}` | {_kind(body)} | {body['description']} |" for field, body in part["properties"].items()]
    table = "\n".join(["| field | type | content |", "|---|---|---|", *rows])
    return f"### {name}\n\n{part['description']}\n\n{table}\n"


def _kind(body: Mapping[str, Any]) -> str:
    """The type of a field in a few words."""
    if "anyOf" in body:
        return " or ".join(_kind(part) for part in body["anyOf"])
    if body.get("type") == "array":
        items = body.get("prefixItems") or [body["items"]]
        return "list of " + ", ".join(_kind(part) for part in items)
    if isinstance(body.get("additionalProperties"), Mapping):
        return f"table of {_kind(body['additionalProperties'])}"
    return _plain_kind(body)


def _plain_kind(body: Mapping[str, Any]) -> str:
    if "$ref" in body:
        name = body["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in body:
        return "one of " + ", ".join(f"`{value}`" for value in body["enum"])
    return "time" if body.get("format") == "date-time" else str(body["type"])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(json.dumps(report_schema(), indent=1) + "\n", encoding="utf-8")
