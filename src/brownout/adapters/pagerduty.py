"""PagerDuty, by its Events API v2: a notification is one incident there, and is resolved when all of it is over."""

from typing import Any

from brownout.adapters.alert_http import PostedJson, secret_of
from brownout.adapters.influx.credentials import Credentials
from brownout.domain.errors import SettingsError
from brownout.domain.findings import Notice
from brownout.settings import AlertSettings

__all__ = ["KEY", "PagerDuty"]

KEY = "BROWNOUT_PAGERDUTY_KEY"
"""Where the integration key stands in the environment."""
LONGEST_SUMMARY = 1024
"""Characters that PagerDuty takes."""
LONGEST_TEXT = 8000


class PagerDuty:
    """Triggers and resolves; ``dedup_key`` is the notification's id, so that a repetition pages nobody."""

    name = "PagerDuty"

    def __init__(self, server: PostedJson, key: str) -> None:
        self._server = server
        self._key = key

    @classmethod
    def open(cls, settings: AlertSettings) -> "PagerDuty":
        """The service of the integration key; raises SettingsError without one."""
        key = secret_of(KEY)
        if not key:
            raise SettingsError("PagerDuty has no integration key.", remedy=f"Set {KEY} in the environment.")
        return cls(PostedJson(cls.name, settings.pagerduty_url, settings, Credentials(secret=key)), key)

    def send(self, notice: Notice) -> None:
        """Trigger."""
        payload = {
            "summary": notice.title[:LONGEST_SUMMARY],
            "source": notice.entity or "brownout",
            "severity": str(notice.severity),
            "custom_details": {"text": notice.text[:LONGEST_TEXT]},
        }
        links = [{"href": notice.link, "text": "brownout's report"}] if notice.link else []
        self._post(notice, {"event_action": "trigger", "payload": payload, "links": links})

    def check(self) -> str:
        """Check that a key is set and the server answers; only an event would show whether the key is right."""
        self._server.answers(doing="see that it answers")
        return "it answers and a key is set; only an event shows whether that is the right one"

    def resolve(self, notice: Notice) -> None:
        """Resolve."""
        self._post(notice, {"event_action": "resolve"})

    def _post(self, notice: Notice, event: dict[str, Any]) -> None:
        doing = f"{event['event_action']} an incident"
        self._server.post("/v2/enqueue", {"routing_key": self._key, "dedup_key": notice.id, **event}, doing=doing)
