"""The page of the report describes report.json as it is."""

import importlib.util
import json
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_fields_in_the_docs_are_those_of_the_contract() -> None:
    spec = importlib.util.spec_from_file_location("make_report_fields", DOCS / "make_report_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / "report.md").read_text(encoding="utf-8")
    assert module.page(text) == text, "docs/report.md is old: run python docs/make_report_fields.py"
    schema = json.loads((DOCS.parent / "tests" / "golden" / "report.schema.json").read_text())
    fields = {
        *schema["properties"],
        *(name for part in schema["$defs"].values() for name in part.get("properties", {})),
    }
    assert schema == json.loads((DOCS / "report.schema.json").read_text()), "docs/report.schema.json is old"
    assert len(fields) > 100
    assert {name for name in fields if f"| `{name}` |" not in text} == set()
