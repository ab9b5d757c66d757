"""The log of what was done: actions of a report, as an operator or a file names them."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brownout.domain.encoding import as_time, decode, encode
from brownout.domain.errors import DataError
from brownout.domain.findings import Action
from brownout.domain.findings.past_scores import DoneAction
from brownout.domain.night import Night
from brownout.nightly.effects.ledger import append_lines, ledger_alone
from brownout.nightly.effects.report_archive import archive_name, archived_nights
from brownout.planning.remedies import Remedies
from brownout.reporting import load_night
from brownout.reporting.anchors import action_anchor
from brownout.store.plain_json import json_value
from brownout.store.workspace import Workspace

__all__ = ["ToLog", "done_actions", "log_actions", "rows_of_file"]

COLUMNS = ("action", "at", "night", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLog:
    """What somebody says was done: an action's anchor, or the entity of an only one; when, and of which night."""

    action: str
    at: np.datetime64
    night: str = ""
    note: str = ""


def rows_of_file(path: Path, now: np.datetime64) -> tuple[ToLog, ...]:
    """Actions of a CSV file with the columns action, and maybe at (UTC), night and note.

    Raises DataError for a file that cannot be read, naming the line.
    """
    actions = []
    with path.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        if "action" not in (table.fieldnames or ()) or not set(table.fieldnames or ()) <= set(COLUMNS):
            what = f"{path} has the columns {list(table.fieldnames or ())}."
            raise DataError(what, remedy=f"Write a header with action and any of {', '.join(COLUMNS[1:])}.")
        for row in table:
            try:
                at = as_time(row["at"]) if row.get("at") else now
            except ValueError as error:
                what = f"{path}, line {table.line_num}: {row['at']!r} is no time."
                raise DataError(what, remedy="Write it as 2026-03-16T14:30Z.") from error
            actions.append(
                ToLog(action=row["action"] or "", at=at, night=row.get("night") or "", note=row.get("note") or "")
            )
    return tuple(actions)


def log_actions(workspace: Workspace, requests: Iterable[ToLog], remedies: Remedies) -> tuple[DoneAction, ...]:
    """Log actions as done; a repeated entry counts once. All are logged, or none where one is unknown."""
    with ledger_alone(workspace.actions):
        done = [_done(workspace, one, remedies) for one in requests]
        known = {(one.night, one.link, one.at) for one in done_actions(workspace)}
        new = [one for one in done if (one.night, one.link, one.at) not in known]
        append_lines(workspace.actions, [encode(one, indent=None) for one in new])
    return tuple(done)


def done_actions(workspace: Workspace) -> tuple[DoneAction, ...]:
    """Everything that was logged, in the order in which it was; raises DataError naming a line that is damaged."""
    return tuple(_lines(workspace.actions))


def _lines(path: Path) -> Iterator[DoneAction]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            yield decode(DoneAction, json_value(line))
        except (ValueError, DataError) as error:
            raise DataError(f"Line {number} of {path} cannot be read: {error}.", remedy="Remove that line.") from error


def _done(workspace: Workspace, request: ToLog, remedies: Remedies) -> DoneAction:
    name, night = _night(workspace, request.night)
    linked = {action_anchor(action.about, action.title, action.entity): action for action in night.actions}
    wanted = request.action.removeprefix("#")
    fitting = [wanted] if wanted in linked else [link for link, one in linked.items() if one.entity == wanted]
    if len(fitting) != 1:
        what = f"{len(fitting) or 'No'} actions of night {name} are called {request.action!r}."
        named = [f"{link} ({linked[link].title}, {linked[link].entity})" for link in fitting or list(linked)]
        few = ", ".join(named[:5])
        raise DataError(what, remedy=f"Give the id of one: {few or 'that night proposed nothing'}.")
    return _as_done(linked[fitting[0]], request, (name, fitting[0]), night, remedies)


def _as_done(action: Action, request: ToLog, where: tuple[str, str], night: Night, remedies: Remedies) -> DoneAction:
    effect = action.effect
    plain = DoneAction(
        at=request.at, night=where[0], link=where[1], entity=action.entity, title=action.title, note=request.note
    )
    if effect is None:
        return plain
    remedy = remedies.table.get(action.remedy)
    return DoneAction(
        at=plain.at,
        night=plain.night,
        link=plain.link,
        entity=plain.entity,
        title=plain.title,
        note=plain.note,
        metric=effect.metric,
        host=(remedy is not None and remedy.reach == "host") or night.topology[action.entity].kind != "vm",
        before=effect.now_ms,
        low=effect.low_ms,
        high=effect.high_ms,
    )


def _night(workspace: Workspace, wanted: str) -> tuple[str, Night]:
    """Name and results of a night of the archive, or of the last report."""
    if not wanted:
        night = load_night(workspace.report / "report.json")
        return archive_name(night.end), night
    fitting = [name for name in archived_nights(workspace) if name.startswith(wanted)]
    if len(fitting) != 1:
        what = f"{len(fitting)} nights of {workspace.archive} are called {wanted!r}."
        raise DataError(what, remedy="Give one of `brownout report --out … --list`.")
    return fitting[0], load_night(workspace.archive / fitting[0] / "report.json")
