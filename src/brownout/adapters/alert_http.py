"""JSON posted to a receiver of alerts, within a deadline; whatever it answers is shown without its secret."""

import json
import os

from brownout.adapters.influx.credentials import Credentials, checked_secret
from brownout.adapters.influx.http import Ask, Connection, HttpServer, RefusalError, TooLargeError
from brownout.domain.errors import AlertError
from brownout.settings import AlertSettings

__all__ = ["PostedJson", "secret_of"]

MAYBE_ARRIVED = 0
"""The status of a request that nobody answered."""


class PostedJson:
    """One server that takes JSON; ``name`` is what the operator calls it."""

    def __init__(self, name: str, url: str, settings: AlertSettings, credentials: Credentials) -> None:
        self.name = name
        connection = Connection(url=url, timeout_s=settings.timeout_s, budget_s=settings.budget_s, attempts=4)
        self._server = HttpServer(connection, credentials)

    def post(self, path: str, content: object, *, doing: str) -> None:
        """Post a document, again where that helps; raises AlertError where no answer says that it was taken."""
        body = json.dumps(content).encode()
        self._answer(Ask(doing=doing, path=path, body=body, headers={"Content-Type": "application/json"}))

    def read(self, path: str, *, doing: str) -> object:
        """A document of the server, None where it is no JSON; raises AlertError as ``post`` does."""
        body = self._answer(Ask(doing=doing, path=path, method="GET"))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return None

    def answers(self, *, doing: str) -> None:
        """See that a server answers, whatever it says; raises AlertError where none does."""
        try:
            self._server.attempt(Ask(doing=doing, path="/", method="GET"))
        except TooLargeError:
            return
        except RefusalError as error:
            failure = self._failure(error, doing) if error.status == MAYBE_ARRIVED else None
        else:
            return
        if failure is not None:
            raise failure

    def _answer(self, ask: Ask) -> bytes:
        try:
            return self._server.attempt(ask).body
        except RefusalError as error:
            failure = self._failure(error, ask.doing)
        except TooLargeError as error:
            failure = AlertError(
                f"{self.name} at {self._server.connection.url}, {ask.doing}: {error}.",
                remedy="Check that the url is the right one.",
            )
        raise failure

    def _failure(self, error: RefusalError, doing: str) -> AlertError:
        remedy = "Check its url in [alerts], the network, and that it is running; the next run sends the alerts again."
        if error.status in (401, 403):
            remedy = "Check its token or key in the environment."
        elif 400 <= error.status < 500:
            remedy = "Check that its url in [alerts] is right, and its log."
        what = f"{self.name} at {self._server.connection.url}, {doing}: {str(error).rstrip('.')}."
        return AlertError(what, remedy=remedy, uncertain=error.status == MAYBE_ARRIVED)


def secret_of(variable: str) -> str:
    """A token from the environment, "" where it is not set; SettingsError, without it, where it cannot be sent."""
    return checked_secret(os.environ.get(variable, ""), variable, token=True)
