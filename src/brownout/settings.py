"""Settings: a TOML file and the environment, checked once, then frozen and passed whole.

A value in the environment wins over the file: ``BROWNOUT_FORECAST__STEPS=96`` over ``[forecast] steps``.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from brownout.domain.errors import SettingsError
from brownout.maintenance_settings import MaintenanceSettings

__all__ = [
    "AlertSettings",
    "ClusterSettings",
    "DetectSettings",
    "DiagnoseSettings",
    "ForecastSettings",
    "HistorySettings",
    "InfluxSettings",
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
    """Length of a slot."""
    steps: Count = 48
    """Slots predicted: 48 of half an hour are a day."""
    context_days: Positive = 7
    """Past that a forecast sees."""
    outlook_step_minutes: Count = 360
    """Length of a slot of the outlook."""
    outlook_days: Positive = 30
    """How far the outlook reaches."""
    outlook_context_days: Positive = 15
    """Past that the outlook sees."""
    train_days: Positive = 60
    """Past that the forecaster learns from."""
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
    """Searched for episodes."""
    train_days: Positive = 28
    """What they are compared with."""
    retrain_days: Positive = 7
    """As for the forecaster."""
    accept_hours: Annotated[float, Field(ge=2)] = 24
    """A level that has shifted and stayed so long is accepted as the new usual one, unless it is beyond its limit."""
    unknown_a_guest_day: Positive = 0.01
    """Incidents without a known cause are alarmed where the fleet shows such severe ones no more often (guest, day)."""


class DiagnoseSettings(Section):
    """What a diagnosis compares an incident with."""

    baseline_days: Positive = 7
    """Days before it."""


class HistorySettings(Section):
    """How long the history keeps what."""

    keep_days: Positive = 800
    """Weeks older than this are removed."""
    thin_after_days: Positive = 60
    """Weeks older than this keep means over five minutes only."""


class ReportSettings(Section):
    """The report and the archive of earlier ones."""

    archive_days: Positive = 400
    """How long reports of earlier nights are kept."""
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
    """An InfluxDB that Telegraf writes to. Passwords and tokens never stand here: see ``docs/influxdb.md``.

    A 2.x needs ``org`` and ``bucket``, the others ``database``.
    """

    url: str
    """Its address, as ``http://influx.example.org:8086``."""
    version: Annotated[int, Field(ge=0, le=3)] = 0
    """Its generation; 0 asks the server."""
    database: str = "telegraf"
    """Of a 1.x or 3.x."""
    retention_policy: str = ""
    """Of a 1.x; empty = the default one."""
    org: str = ""
    """Of a 2.x."""
    bucket: str = "telegraf"
    """Of a 2.x."""
    user: str = ""
    """Of a 1.x."""
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
    """Longest silence of the server."""
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
    """Address of an MLflow server."""
    experiment: str = "brownout"
    """What MLflow calls the trainings together."""
    keep_days: Annotated[float, Field(gt=0)] = 14.0
    """Age at which a training leaves the sqlite file."""


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
    """Address of its Events API."""
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
    """Longest silence of a receiver."""
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
    """Dataset folder to read."""
    influxdb: InfluxSettings | None = None
    seed: int = 0
    """Seed of trainings: the same on the same data gives the same model."""
    shard_size: Count = 64
    """Entities read at a time; fewer where they have many samples."""
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
