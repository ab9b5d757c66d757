"""The archive of nights as documents to read: which nights there are, parts of a report, incidents, breaches."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brownout.domain.errors import DataError, HistoryError
from brownout.nightly.effects.report_archive import archived_nights, night_index
from brownout.store.workspace import Workspace

__all__ = ["ArchiveReader"]

MOST = 100
"""Rows of one answer."""
LONGEST = 60_000
"""Characters of one answer; rows that do not fit are left for the next one."""
OF_INCIDENT = ("id", "open", "start", "end", "entities", "summary", "decider", "severity")


@dataclass(frozen=True)
class ArchiveReader:
    """Reads an output folder; ``night`` is the name of an archived night or its only beginning, or ``last``."""

    workspace: Workspace

    def nights(self, first: int, rows: int) -> dict[str, Any]:
        """Nights of the archive, the newest first, with what each found in short."""
        return _page(night_index(self.workspace), first, rows)

    def parts(self, night: str) -> dict[str, int]:
        """Names of the parts of a night's report, with the number of rows of each; 1 for what is no list."""
        return {name: len(value) if isinstance(value, list) else 1 for name, value in self._report(night).items()}

    def part(self, night: str, name: str, first: int, rows: int) -> dict[str, Any]:
        """A part of a night's report; of a list some rows from one on, and how many there are."""
        report = self._report(night)
        if name not in report:
            raise DataError(f"A report has no part {name!r}.", remedy=f"Ask for one of: {', '.join(report)}.")
        value = report[name]
        if isinstance(value, list):
            return _page(value, first, rows)
        if len(json.dumps(value)) > LONGEST:
            raise DataError(f"{name!r} is too long for an answer.", remedy="Read report.json itself.")
        return {"value": value}

    def incidents(self, night: str, first: int, rows: int, *, open_only: bool) -> dict[str, Any]:
        """Incidents of a night in short: when, where, the likely causes, and what to do first."""
        report = self._report(night)
        incidents = [_incident(one) for one in report["incidents"] if one["open"] or not open_only]
        return _page(incidents, first, rows)

    def breaches(self, night: str, first: int, rows: int, *, min_probability: float) -> dict[str, Any]:
        """Limits that will be crossed, or are, with at least some probability."""
        report = self._report(night)
        breaches = [
            one for one in report["breaches"] if one["exceeded"] or (one["probability"] or 0) >= min_probability
        ]
        return _page(breaches, first, rows)

    def _report(self, night: str) -> dict[str, Any]:
        names = archived_nights(self.workspace)
        fitting = names[-1:] if night == "last" else [name for name in names if name.startswith(night)]
        if len(fitting) != 1 or not night:
            few = ", ".join(names[-5:]) or "none"
            raise HistoryError(f"{len(fitting)} nights are called {night!r}.", remedy=f"Name one, such as: {few}.")
        path = self.workspace.archive / fitting[0] / "report.json"
        problem: Exception | None = None
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            report, problem = None, error
        if not isinstance(report, dict) or not isinstance(report.get("incidents"), list):
            what = f"The report of {fitting[0]} cannot be read."
            raise DataError(what, remedy="`brownout report --check FILE` says what is wrong with it.") from problem
        return report


def _page(rows: Sequence[Any], first: int, most: int) -> dict[str, Any]:
    """Some rows from one on, as many as one answer holds; ``next`` is the first that is left, null where none is."""
    chosen: list[Any] = []
    length, first = 0, max(first, 0)
    for row in rows[first : first + min(max(most, 1), MOST)]:
        length += len(json.dumps(row))
        if chosen and length > LONGEST:
            break
        chosen.append(row)
    after = first + len(chosen)
    return {"total": len(rows), "rows": chosen, "next": after if chosen and after < len(rows) else None}


def _incident(incident: Mapping[str, Any]) -> dict[str, Any]:
    causes = [{key: cause.get(key) for key in ("id", "title", "entity", "probability")} for cause in incident["causes"]]
    actions = [
        {key: action.get(key) for key in ("title", "entity", "risk", "command", "confirm", "rollback")}
        for action in incident["actions"][:1]
    ]
    return {key: incident.get(key) for key in OF_INCIDENT} | {"causes": causes[:3], "first_action": actions}
