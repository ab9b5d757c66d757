from pathlib import Path

import pytest

from brownout.domain.errors import SettingsError
from brownout.settings import load_settings


def test_the_environment_wins_over_the_command_line_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text("seed = 1\nshard_size = 2\n[forecast]\nsteps = 3\nstep_minutes = 10\n")
    monkeypatch.setenv("BROWNOUT_FORECAST__STEPS", "7")
    settings = load_settings(path, shard_size=5)
    assert (settings.seed, settings.shard_size) == (1, 5)
    assert (settings.forecast.steps, settings.forecast.step_minutes) == (7, 10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 1", "sed"),
        ("[forecast]\nstep = 1", "forecast.step"),
        ("[forecast]\nsteps = 0", "forecast.steps"),
        ("[forecast]\nmin_probability = 2.0", "forecast.min_probability"),
        ("seed = ", "cannot be read"),
        ('[influxdb]\nurl = "influx:8086"', "give an address"),
        ('[influxdb]\nurl = "http://u:s3cr3t@h:8086"', "keep user, password and token out"),
        ('[influxdb]\nurl = "http://h:8086?token=s3cr3t"', "keep user, password and token out"),
        ('[influxdb]\nurl = "http://h:8086"\ntoken = "s3cr3t"', "influxdb.token"),
        ('[influxdb]\nurl = "http://h:8086"\ninterval_s = 7', "divides an hour"),
        ("[history]\nthin_after_days = 10", "at least 31"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(path)
    assert "s3cr3t" not in str(caught.value)


def test_a_refused_value_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text('[tracking]\nuri = "x"\ntoken = "s3cr3t"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "s3cr3t" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().seed = 3  # type: ignore[misc]
