"""Settings: a TOML file and the environment, checked once, then frozen and passed whole.

A value in the environment wins over the file: ``BROWNOUT_FORECAST__HORIZON_H=48`` over ``[forecast] horizon_h``.
"""

import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from brownout.domain.calendar import Maintenance
from brownout.domain.errors import SettingsError

__all__ = [
    "AlertSettings",
    "ClusterSettings",
    "DetectSettings",
    "DiagnoseSettings",
    "ForecastSettings",
    "HistorySettings",
    "InfluxSettings",
    "MaintenanceSettings",
    "PlacementSettings",
    "ReportSettings",
    "ReviewSettings",
    "Settings",
    "TrackingSettings",
    "load_settings",
]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _plain_url(url: str, example: str) -> str:
    """The address of a server, which holds no secret; ValueError, which never repeats it, where it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"give an address like {example}")
    if parts.username or parts.password or parts.query:
        raise ValueError("keep user, password and token out of the address")
    return url


class Section(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ForecastSettings(Section):
    """What is forecast: ``steps`` slots of ``step_minutes``, learned from the last ``train_days``.

    The outlook, for what fills up or leaks, reaches ``outlook_days`` in slots of ``outlook_step_minutes``, but only as
    far as half of the history.
    """

    step_minutes: Count = 30
    steps: Count = 48
    context_days: Positive = 7
    outlook_step_minutes: Count = 360
    outlook_days: Positive = 30
    outlook_context_days: Positive = 15
    train_days: Positive = 60
    train_steps: Count = 600
    """Optimiser steps of a training."""
    retrain_days: Positive = 7
    """A model is trained again when it is so old, when a tenth more history is there, or when these settings change."""
    min_probability: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Breaches less probable than this are not reported."""
    limits: dict[str, float] = Field(default_factory=dict)
    """Limits by metric name, over those of the catalogue."""
    without: tuple[str, ...] = ()
    """Parts of forecasting that are switched off, as ``outlook``."""


class DetectSettings(Section):
    """Which part of the history is searched for episodes, and what it is compared with."""

    window_days: Positive = 3
    train_days: Positive = 28
    retrain_days: Positive = 7
    """As for the forecaster."""
    accept_hours: Annotated[float, Field(ge=2)] = 24
    """A level that has shifted and stayed so long is accepted as the new usual one, unless it is beyond its limit."""
    unknown_a_guest_day: Positive = 0.01
    """Incidents without a known cause are alarmed where the fleet shows such severe ones no more often (guest, day)."""


class DiagnoseSettings(Section):
    """How much of the past a diagnosis compares an incident with."""

    baseline_days: Positive = 7


class HistorySettings(Section):
    """How long the history keeps what."""

    keep_days: Positive = 800
    thin_after_days: Positive = 60
    """Weeks older than this keep means over five minutes only."""


class ReportSettings(Section):
    """The report: how long those of earlier nights are kept, and in which language it is."""

    archive_days: Positive = 400
    language: Literal["en", "zh"] = "en"
    """English or Chinese."""


class PlacementSettings(Section):
    """What is asked of moves; guests are named by their ids."""

    moves: Annotated[int, Field(ge=0)] = 3
    """Moves that a night proposes at most."""
    together: tuple[tuple[str, ...], ...] = ()
    """Groups of guests that stay on one host."""
    apart: tuple[tuple[str, ...], ...] = ()
    """Groups of guests of which no two go to one host."""
    fixed: tuple[str, ...] = ()
    """Patterns of guests that are never moved."""
    networks: tuple[tuple[str, ...], ...] = ()
    """Groups of bridges that are the same network: a guest's network card may go from one to another."""


class InfluxSettings(Section):
    """An InfluxDB that Telegraf writes to. Passwords and tokens never stand here: see ``secret``.

    ``version`` 0 asks the server. A 2.x needs ``org`` and ``bucket``, the others ``database``.
    """

    url: str
    version: Annotated[int, Field(ge=0, le=3)] = 0
    database: str = "telegraf"
    retention_policy: str = ""
    org: str = ""
    bucket: str = "telegraf"
    user: str = ""
    secret_file: Path | None = None
    """File that holds the password or token; else it comes from the environment."""
    ca_file: Path | None = None
    """Certificates to trust besides those of the system."""
    interval_s: Annotated[int, Field(ge=1, le=3600)] = 60
    """Slot of the history; divides an hour."""
    history_days: Positive = 60
    """How far back a first sync goes."""
    lookback_minutes: Positive = 120
    """How late points may arrive."""
    reread_days: tuple[Positive, ...] = (1, 7)
    """Ages at which each six hours are read once more, for points that arrived later still; empty = never."""
    timeout_s: Positive = 60
    budget_s: Positive = 180
    """Longest time for one request: all tries, pauses and reading."""
    answer_mib: Positive = 20
    """Memory that the samples of one answer may take; what is longer is asked for in parts."""
    write_back: bool = True
    """Whether the findings of a night are written to the same database."""
    mapping: Path | None = None
    """A site's own mapping, over models/telegraf.toml."""
    ids: dict[str, str] = Field(default_factory=dict)
    """Names of entities by kind, e.g. vm = "{host}/{domain_name}"."""
    aliases: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Other names for tag values, by tag."""
    hosts: tuple[str, ...] = ()
    """Patterns of the hypervisors' host tags; empty = all."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        return _plain_url(url, "https://influx.example.org:8086").rstrip("/")

    @field_validator("interval_s")
    @classmethod
    def _divides_an_hour(cls, interval: int) -> int:
        if 3600 % interval:
            raise ValueError("give a number of seconds that divides an hour")
        return interval


class ReviewSettings(Section):
    """How a newly trained forecaster is tried before it may take the place of the one in use."""

    shadow_nights: Annotated[int, Field(ge=0, le=60)] = 0
    """Nights in which it forecasts beside the one in use, untold, before the rules decide; 0 = they decide at once."""


class TrackingSettings(Section):
    """Where MLflow keeps the trainings; without ``uri`` in a sqlite file of the output folder.

    From that file, and no other store, trainings go once they are ``keep_days`` old; versions with an alias and the
    newest three of each model stay.
    """

    uri: str = ""
    experiment: str = "brownout"
    keep_days: Annotated[float, Field(gt=0)] = 14.0


class AlertSettings(Section):
    """Where alerts go and how many. Tokens and keys never stand here: see ``docs/alerts.md``."""

    alertmanager: str = ""
    """Address of an Alertmanager; empty = none."""
    apprise: tuple[SecretStr, ...] = ()
    """Addresses as Apprise writes them; they hold secrets: better BROWNOUT_ALERTS__APPRISE, or ``apprise_file``."""
    apprise_file: Path | None = None
    """File with such addresses, one a line; ``#`` begins a comment."""
    pagerduty: bool = False
    """Whether PagerDuty is told; its integration key comes from the environment."""
    pagerduty_url: str = "https://events.pagerduty.com"
    report_url: str = ""
    """Where report/index.html can be opened; empty = alerts have no link."""
    resend_minutes: Positive = 1440
    """How long until the next run: a day for nightly alone, the distance of two runs where watch runs more often."""
    hold_minutes: Positive = 60
    """An alert ends when it has not been found for so long."""
    min_probability: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Chance from which a forecast breach begins an alert."""
    notices_per_shift: Count = 2
    """Messages to people in any eight hours for each started thousand of guests."""
    timeout_s: Positive = 10
    budget_s: Positive = 60
    """Longest time for one receiver: all tries, pauses and reading."""

    @field_validator("alertmanager", "pagerduty_url", "report_url")
    @classmethod
    def _address(cls, url: str) -> str:
        return _plain_url(url, "http://alertmanager.example.org:9093").rstrip("/") if url else url


class ClusterSettings(Section):
    """A Dask cluster whose workers judge the shards of a night; without ``scheduler`` this machine does."""

    scheduler: str = ""
    """Address of its scheduler, as tcp://10.0.0.5:8786, or tls://… with Dask's own settings for certificates."""
    history: str = ""
    """Folder that the history is copied to and workers read, as s3://bucket/brownout; empty = they see it as here."""
    patience_s: Positive = 300
    """How long a night waits for a cluster that has no worker."""

    @field_validator("scheduler", "history")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        if url and "://" not in url:
            raise ValueError("give an address like tcp://10.0.0.5:8786 or s3://bucket/brownout")
        if "@" in url or "?" in url:
            raise ValueError("keep user, password and keys out of the address: they come from the environment")
        return url.rstrip("/")


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class MaintenanceSettings(Section):
    """A window of maintenance: ``start`` and ``end``; or ``weekly`` or ``dates``, with ``from`` and ``to``; or ``ics``.

    A time without an offset is UTC; days, ``from`` and ``to`` are of the ``timezone``, and so is what a calendar file
    says without one.
    """

    name: str
    entities: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    """Patterns of entity ids; all that hangs on them is covered too."""
    start: datetime | None = None
    end: datetime | None = None
    weekly: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    dates: tuple[date, ...] = ()
    opens: Annotated[time, Field(alias="from")] = time()
    closes: Annotated[time, Field(alias="to")] = time()
    """On the next day where it is not later than ``from``."""
    timezone: str = "UTC"
    ics: Path | None = None
    """An iCalendar file: each of its events is a window."""

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        once, again = (self.start, self.end) != (None, None), bool(self.weekly or self.dates)
        if once + again + (self.ics is not None) != 1:
            raise ValueError(f"window {self.name!r} needs start and end, or weekly or dates, or ics")
        if self.ics is not None and {"opens", "closes"} & self.model_fields_set:
            raise ValueError(f"window {self.name!r} has an ics, whose events have times: from and to are for others")
        if once and (self.start is None or self.end is None or _utc(self.end) <= _utc(self.start)):
            raise ValueError(f"window {self.name!r} needs an end after its start")
        if once and {"opens", "closes", "timezone"} & self.model_fields_set:
            raise ValueError(f"window {self.name!r} has start and end: from, to and timezone are for weekly and dates")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"window {self.name!r} has a timezone that this machine does not know") from error
        return self

    @property
    def window(self) -> Maintenance:
        """The window as the calendar has it, without the events of an ``ics``."""
        once = None if self.start is None or self.end is None else (_utc(self.start), _utc(self.end))
        return Maintenance(
            name=self.name,
            entities=self.entities,
            once=once,
            weekdays=tuple(WEEKDAYS.index(day) for day in self.weekly),
            dates=self.dates,
            opens=self.opens,
            closes=self.closes,
            zone=ZoneInfo(self.timezone),
        )


def _utc(moment: datetime) -> np.datetime64:
    """A time of the settings; one without an offset is UTC."""
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return np.datetime64(plain, "ms")


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(
        env_prefix="BROWNOUT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    dataset: Path | None = None
    influxdb: InfluxSettings | None = None
    seed: int = 0
    shard_size: Count = 64
    knowledge: Path | None = None
    """Folder of a site's own metrics, rules, symptoms, causes and remedies, over those that ship in models/."""
    platform: Literal["libvirt", "proxmox", "openstack"] = "libvirt"
    """What manages the guests: the commands of actions are for it."""
    forecast: ForecastSettings = ForecastSettings()
    detect: DetectSettings = DetectSettings()
    diagnose: DiagnoseSettings = DiagnoseSettings()
    history: HistorySettings = HistorySettings()
    report: ReportSettings = ReportSettings()
    review: ReviewSettings = ReviewSettings()
    tracking: TrackingSettings = TrackingSettings()
    alerts: AlertSettings = AlertSettings()
    cluster: ClusterSettings = ClusterSettings()
    placement: PlacementSettings = PlacementSettings()
    maintenance: tuple[MaintenanceSettings, ...] = ()

    @model_validator(mode="after")
    def _history_covers_what_reads_it(self) -> Self:
        needed = max(self.detect.train_days, self.diagnose.baseline_days) + self.detect.window_days
        if self.history.thin_after_days < needed:
            msg = f"history.thin_after_days must be at least {needed:g}: detection and diagnosis read so far back"
            raise ValueError(msg)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file said; no dotenv file, no secrets folder."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(path: Path | None = None, **overrides: object) -> Settings:
    """Read a settings file, if any, and the environment; ``overrides`` (of the command line) replace the file's values.

    Raises SettingsError naming the key and what is wrong with it, never its value, which might be a secret.
    """
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = f"The settings file {path} cannot be read: {error}."
            raise SettingsError(msg, remedy="Give a TOML file; see examples/.") from error
    try:
        return Settings(**(table | overrides))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        msg = f"The settings{f' in {path}' if path else ''} cannot be used: {problems}."
        raise SettingsError(msg, remedy="Correct or remove the keys named.") from None
