"""Alertmanager, by version 2 of its interface: alerts are known by their labels, so that sending them again is safe."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brownout.adapters.alert_http import PostedJson, secret_of
from brownout.adapters.influx.credentials import Credentials
from brownout.domain.encoding import visible
from brownout.domain.errors import AlertError
from brownout.domain.findings import TimedAlert
from brownout.settings import AlertSettings

__all__ = ["TOKEN", "Alertmanager"]

TOKEN = "BROWNOUT_ALERTMANAGER_TOKEN"  # noqa: S105 - the name of a variable
"""A bearer token for a proxy before Alertmanager; not needed without one."""
LONGEST_ANSWER = 80
AT_ONCE = 200
"""Alerts in one request."""


class Alertmanager:
    """Sends alerts to ``/api/v2/alerts``."""

    def __init__(self, server: PostedJson) -> None:
        self._server = server

    @classmethod
    def open(cls, settings: AlertSettings) -> "Alertmanager":
        """The Alertmanager of the settings, with the token of the environment."""
        token = secret_of(TOKEN)
        credentials = Credentials(scheme="Bearer" if token else "", secret=token)
        return cls(PostedJson("Alertmanager", settings.alertmanager, settings, credentials))

    def send(self, alerts: Sequence[TimedAlert]) -> None:
        """Send alerts; those whose end is over are resolved."""
        for start in range(0, len(alerts), AT_ONCE):
            part = [_as_sent(alert) for alert in alerts[start : start + AT_ONCE]]
            self._server.post("/api/v2/alerts", part, doing="send alerts")

    def check(self) -> str:
        """The version of Alertmanager; raises AlertError where another server answers, or none."""
        status = self._server.read("/api/v2/status", doing="ask for its state")
        version = status.get("versionInfo") if isinstance(status, dict) else None
        if not isinstance(version, dict):
            what = "What answers at the address of the Alertmanager is none."
            raise AlertError(what, remedy="Check alerts.alertmanager: the address without /api, and a path before it.")
        return visible(f"Alertmanager {version.get('version', 'of unknown version')} answers")[:LONGEST_ANSWER]


def _as_sent(timed: TimedAlert) -> dict[str, Any]:
    alert = timed.alert
    link = {"generatorURL": alert.link} if alert.link else {}
    return {
        "labels": dict(alert.labels),
        "annotations": {**alert.annotations, **({"link": alert.link} if alert.link else {})},
        "startsAt": _stamp(timed.starts),
        "endsAt": _stamp(timed.ends),
        **link,
    }


def _stamp(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='ms')}Z"
