from datetime import time
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.errors import SettingsError
from brownout.settings import load_settings

WINDOW = '[[maintenance]]\nname = "patch"\n'
ONCE = WINDOW + "start = 2026-03-02T04:00:00Z\n"


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
        ('[alerts]\nalertmanager = "http://u:s3cr3t@h:9093"', "keep user, password and token out"),
        ('[alerts]\nalertmanager = "h:9093"', "alerts.alertmanager.*give an address"),
        ('[alerts]\npagerduty_key = "s3cr3t"', "alerts.pagerduty_key"),
        ('[alerts]\napprise = "slack://s3cr3t"', "alerts.apprise"),
        ("[alerts]\nnotices_per_shift = 0", "alerts.notices_per_shift"),
        (
            WINDOW + "start = 2026-03-02T04:00:00\nend = 2026-03-02T04:00:00Z",
            "maintenance.0.*'patch'.*end after its start",
        ),
        (ONCE, "'patch' needs an end after its start"),
        (WINDOW, "'patch' needs start and end, or weekly or dates"),
        (WINDOW + 'weekly = ["sat"]\nend = 2026-03-02T04:00:00Z', "'patch' needs start and end, or weekly or dates"),
        (WINDOW + 'weekly = ["sat"]\ntimezone = "Europe/Nowhere"', "'patch' has a timezone"),
        (WINDOW + 'weekly = ["saturday"]', "maintenance.0.weekly.0"),
        (WINDOW + "entities = []\ndates = [2026-12-25]", "maintenance.0.entities"),
        (
            WINDOW + "start = 2026-03-02T04:00:00Z\nend = 2026-03-02T05:00:00Z\nfrom = 04:00:00",
            "'patch' has start and end",
        ),
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


def test_windows_of_maintenance_are_read_in_utc_whatever_their_offset(tmp_path: Path) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text(
        WINDOW + 'entities = ["kvm1"]\nstart = 2026-03-02T04:00:00+01:00\nend = 2026-03-02T04:00:00\n'
        '[[maintenance]]\nname = "backup"\nweekly = ["sat", "sun"]\nfrom = "23:30"\nto = 01:00:00\n'
        'timezone = "Europe/Zurich"\n'
    )
    once, again = (one.window for one in load_settings(path).maintenance)
    assert once.once == (np.datetime64("2026-03-02T03:00", "ms"), np.datetime64("2026-03-02T04:00", "ms"))
    assert (again.weekdays, again.opens, again.closes, again.entities) == ((5, 6), time(23, 30), time(1), ("*",))
