"""The file of the alert log: replaced as a whole, so that a kill leaves either the old or the new one."""

from brownout.domain.encoding import decode_json, encode
from brownout.domain.errors import DataError
from brownout.nightly.effects.alerting.alert_log import AlertLog
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_bytes
from brownout.store.workspace import Workspace

__all__ = ["read_alert_log", "set_aside", "write_alert_log"]


def read_alert_log(workspace: Workspace) -> AlertLog:
    """The log of the runs so far; empty where there was none. Raises DataError where damaged."""
    path = workspace.alerts
    try:
        return decode_json(AlertLog, read_bytes(path).decode())
    except FileNotFoundError:
        return AlertLog()
    except (ValueError, DataError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="It is set aside: look who was told of what; alerts begin anew.") from error


def write_alert_log(workspace: Workspace, log: AlertLog) -> None:
    """Replace the file."""
    write_text(workspace.alerts, encode(log))


def set_aside(workspace: Workspace) -> None:
    """Rename a damaged file, so that the alerts of this run go out all the same."""
    workspace.alerts.replace(workspace.alerts.with_suffix(".damaged"))
