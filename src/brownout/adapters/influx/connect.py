"""Which InfluxDB it is, and a connection to it."""

import os
from dataclasses import dataclass

import httpx

from brownout.adapters.influx.flux import FluxDatabase
from brownout.adapters.influx.http import Connection, HttpServer
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.adapters.influx.sql import SqlDatabase
from brownout.domain.errors import DatabaseError, SettingsError
from brownout.ingest.raw import TelemetryDatabase
from brownout.settings import InfluxSettings

__all__ = ["SECRETS", "Server", "connect", "identify", "secret"]

SECRETS = ("BROWNOUT_INFLUXDB_TOKEN", "BROWNOUT_INFLUXDB_PASSWORD")
"""Where the token or password stands in the environment; one will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What answered."""

    version: str

    @property
    def generation(self) -> int:
        """1, 2 or 3."""
        digits = self.version.lstrip("v").partition(".")[0]
        return int(digits) if digits.isdigit() else 0


def connect(settings: InfluxSettings) -> TelemetryDatabase:
    """A connection to the server of the settings; raises DatabaseError where it does not answer."""
    connection = connection_of(settings)
    server = Server(version=str(settings.version)) if settings.version else identify(settings)
    password = secret(settings)
    if server.generation == 1:
        return InfluxQlDatabase(
            connection,
            database=settings.database,
            retention_policy=settings.retention_policy,
            user=settings.user,
            password=password,
            version=server.version,
        )
    if server.generation == 2:
        if not settings.org:
            raise SettingsError("InfluxDB 2.x needs an org.", remedy="Set org and bucket in [influxdb].")
        return FluxDatabase(
            connection, bucket=settings.bucket, org=settings.org, token=password, version=server.version
        )
    if server.generation == 3:
        return SqlDatabase(connection, database=settings.database, token=password, version=server.version)
    msg = f"{settings.url} says that it is InfluxDB {server.version!r}."
    raise DatabaseError(msg, remedy="Set version = 1, 2 or 3 in [influxdb] if it is one of these.")


def identify(settings: InfluxSettings) -> Server:
    """Ask the server for its version; ``/ping`` says it in all generations."""
    password = secret(settings)
    headers = {"Authorization": f"Bearer {password}"} if password and not settings.user else {}
    auth = httpx.BasicAuth(settings.user, password) if settings.user else None
    answer = HttpServer(connection_of(settings), headers=headers, auth=auth).text(
        "GET", "/ping", doing="asking for its version"
    )
    version = answer.headers.get("X-Influxdb-Version", "")
    if not version and "json" in answer.headers.get("Content-Type", ""):
        version = str(answer.json().get("version", ""))
    if not version:
        msg = f"{settings.url} answers, but does not say that it is an InfluxDB."
        raise DatabaseError(msg, remedy="Check the url; behind a proxy set version = 1, 2 or 3 in [influxdb].")
    return Server(version=version)


def connection_of(settings: InfluxSettings) -> Connection:
    """Address and patience."""
    return Connection(
        url=settings.url,
        ca_file=str(settings.ca_file or ""),
        timeout_s=settings.timeout_s,
        budget_s=settings.budget_s,
    )


def secret(settings: InfluxSettings) -> str:
    """The password or token: from the file of the settings, else from the environment; "" where there is none."""
    if settings.secret_file is not None:
        try:
            return settings.secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            msg = f"The secret file {settings.secret_file} cannot be read: {error.strerror}."
            raise SettingsError(msg, remedy="Create it, readable by this user only.") from None
    return next((os.environ[name] for name in SECRETS if os.environ.get(name)), "")
