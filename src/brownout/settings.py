"""Settings: a TOML file and the environment, checked once, then frozen and passed whole.

A value in the environment wins over the file: ``BROWNOUT_FORECAST__HORIZON_H=48`` over ``[forecast] horizon_h``.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from brownout.domain.errors import SettingsError

__all__ = ["DetectSettings", "DiagnoseSettings", "ForecastSettings", "Settings", "TrackingSettings", "load_settings"]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ForecastSettings(Section):
    """What is forecast: ``steps`` slots of ``step_minutes``, learned from the last ``train_days``."""

    step_minutes: Count = 30
    steps: Count = 48
    context_days: Positive = 7
    train_days: Positive = 60
    train_steps: Count = 600
    """Optimiser steps of a training."""
    min_probability: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Breaches less probable than this are not reported."""
    limits: dict[str, float] = Field(default_factory=dict)
    """Limits by metric name, over those of the catalogue."""


class DetectSettings(Section):
    """Which part of the history is searched for episodes, and what it is compared with."""

    window_days: Positive = 3
    train_days: Positive = 28


class DiagnoseSettings(Section):
    """How much of the past a diagnosis compares an incident with."""

    baseline_days: Positive = 7


class TrackingSettings(Section):
    """Where MLflow keeps the trainings; without ``uri`` in a sqlite file of the output folder."""

    uri: str = ""
    experiment: str = "brownout"


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
    seed: int = 0
    shard_size: Count = 64
    forecast: ForecastSettings = ForecastSettings()
    detect: DetectSettings = DetectSettings()
    diagnose: DiagnoseSettings = DiagnoseSettings()
    tracking: TrackingSettings = TrackingSettings()

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
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        msg = f"The settings{f' in {path}' if path else ''} cannot be used: {found}."
        raise SettingsError(msg, remedy="Correct or remove the keys named.") from None
