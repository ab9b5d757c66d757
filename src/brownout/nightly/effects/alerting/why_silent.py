"""Why no alert fires, where the reports show trouble all the same: nothing begins by data that are old."""

from brownout.domain.encoding import as_time
from brownout.nightly.effects.alerting.send_alerts import STALE
from brownout.nightly.effects.report_archive import archived_nights
from brownout.store.plain_json import read_json
from brownout.store.workspace import Workspace

__all__ = ["why_silent"]

SILENT = "no alert fires"


def why_silent(workspace: Workspace) -> str:
    """That nothing fires, and why where that is not because nothing is the matter."""
    names = archived_nights(workspace)
    if not names:
        return f"{SILENT}: no night was made in this folder yet"
    try:
        stored = read_json(workspace.archive / names[-1] / "report.json")
        created, end = as_time(stored["created"]), as_time(stored["window"]["end"])
        incidents = int(stored["summary"]["incidents_open"])
    except (OSError, ValueError, KeyError, TypeError):
        return SILENT  # `report` says what is wrong with a damaged night
    if created - end <= STALE:
        return SILENT
    until = str(end.astype("datetime64[m]"))
    return (
        f"{SILENT}: the data of the last night end at {until}Z, more than a day before it was made, and nothing begins "
        f"by data so old ({incidents} incidents open then: see its report)"
    )
