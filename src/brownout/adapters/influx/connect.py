"""Which InfluxDB it is, and a connection to it."""

import os
import re
from dataclasses import dataclass, replace

from brownout.adapters.influx.bucket import BucketDatabase
from brownout.adapters.influx.credentials import Credentials, checked_secret
from brownout.adapters.influx.http import Ask, Connection, HttpServer
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.adapters.influx.sql import SqlDatabase
from brownout.domain.errors import DatabaseError, SettingsError
from brownout.ingest.raw import TelemetryDatabase
from brownout.settings import InfluxSettings

__all__ = ["FEW_ATTEMPTS", "SECRETS", "Server", "connect", "identify", "secret"]

SECRETS = ("BROWNOUT_INFLUXDB_TOKEN", "BROWNOUT_INFLUXDB_PASSWORD")
"""Where the token or password stands in the environment; one will do."""
LONGEST_SECRET = 1 << 16
ATTEMPTS, FEW_ATTEMPTS = 6, 2
"""Tries of a request, and those of one for a person who waits: a server that is away is said at once."""
GENERATION = re.compile(r"v?([1-9][0-9]{0,2})(?:\.|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that answered."""

    version: str

    @property
    def generation(self) -> int:
        """1, 2 or 3; 0 where it does not say."""
        match = GENERATION.match(self.version)
        return int(match[1]) if match else 0


def connect(settings: InfluxSettings, *, attempts: int = ATTEMPTS) -> TelemetryDatabase:
    """A connection to the server of the settings; raises DatabaseError where it does not answer."""
    connection = replace(connection_of(settings), attempts=attempts)
    server = Server(version=str(settings.version)) if settings.version else identify(settings)
    if server.generation == 1:
        return InfluxQlDatabase(
            connection,
            database=settings.database,
            retention_policy=settings.retention_policy,
            user=settings.user,
            password=secret(settings),
            version=server.version,
        )
    if server.generation == 2:
        if not settings.org:
            raise SettingsError("InfluxDB 2.x needs an org.", remedy="Set org and bucket in [influxdb].")
        return BucketDatabase(
            connection,
            bucket=settings.bucket,
            org=settings.org,
            token=secret(settings, token=True),
            version=server.version,
        )
    if server.generation == 3:
        return SqlDatabase(
            connection, database=settings.database, token=secret(settings, token=True), version=server.version
        )
    msg = f"{settings.url} says that it is InfluxDB {server.version!r}."
    raise DatabaseError(msg, remedy="Set version = 1, 2 or 3 in [influxdb] if it is one of these.")


def identify(settings: InfluxSettings) -> Server:
    """Ask the server for its version; ``/ping`` says it in all generations."""
    password = secret(settings)
    bearer = "Bearer" if password.isascii() and password.isprintable() and " " not in password else ""
    credentials = Credentials("Basic" if settings.user else bearer, settings.user, password)
    server = HttpServer(replace(connection_of(settings), attempts=FEW_ATTEMPTS), credentials)
    answer = server.text(Ask(doing="asking for its version", path="/ping", method="GET"))
    version = answer.headers.get("x-influxdb-version", "")
    if not version and "json" in answer.headers.get("content-type", ""):
        document = server.parsed(answer, doing="asking for its version")
        version = str(document.get("version", "")) if isinstance(document, dict) else ""
    if not version:
        msg = f"{settings.url} answers, but does not say that it is an InfluxDB."
        raise DatabaseError(msg, remedy="Check the url; behind a proxy set version = 1, 2 or 3 in [influxdb].")
    return Server(version=credentials.clean(version, 40))


def connection_of(settings: InfluxSettings) -> Connection:
    """Address and patience."""
    return Connection(
        url=settings.url,
        ca_file=str(settings.ca_file or ""),
        timeout_s=settings.timeout_s,
        budget_s=settings.budget_s,
        answer_mib=settings.answer_mib,
    )


def secret(settings: InfluxSettings, *, token: bool = False) -> str:
    """The password or token: from the file of the settings, else from the environment; "" where there is none.

    White space around it is no part of it. Raises SettingsError, which never holds it, where it cannot be sent.
    """
    if settings.secret_file is not None:
        path = settings.secret_file
        try:
            with path.open("rb") as file:
                content = file.read(LONGEST_SECRET + 1)
            text = content.decode()
        except OSError as error:
            msg = f"The secret file {path} cannot be read: {error.strerror}."
        except UnicodeDecodeError:
            msg = f"The secret file {path} holds no text."
        else:
            if len(content) <= LONGEST_SECRET:
                return checked_secret(text, f"The secret file {path}", token=token)
            msg = f"The secret file {path} is longer than {LONGEST_SECRET} bytes."
        raise SettingsError(msg, remedy="Create it with the secret alone, readable by this user only.")
    name = next((name for name in SECRETS if os.environ.get(name, "").strip()), "")
    return checked_secret(os.environ[name], name, token=token) if name else ""
