"""Whether a file is a report.json that keeps to the published schema."""

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from brownout.domain.errors import DataError
from brownout.reporting.document import report_schema
from brownout.reporting.report import SCHEMA_ID
from brownout.store.plain_json import read_json

__all__ = ["report_problems"]

MOST = 20
"""Problems that are told: more are of the same kind."""


def report_problems(path: Path) -> tuple[str, ...]:
    """Violations of the schema in a file, each with its path in the document; none where the file is valid.

    Keys that came later within its version may be missing. Raises DataError for a file that cannot be read as JSON.
    """
    try:
        document: Any = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.", remedy="Give a report.json.") from error
    named = document.get("$schema") if isinstance(document, dict) else None
    if named != SCHEMA_ID:
        return (f"$schema is {named!r}, and this release checks {SCHEMA_ID}",)
    errors = Draft202012Validator(report_schema(earlier=True)).iter_errors(document)
    problems = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    return tuple(f"{error.json_path}: {error.message[:200]}" for error in problems[:MOST])
