"""Which server answers, and with which secret; answers to /ping are scripted as the generations give them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from influx import Influx
from scripted import Answer, Script, scripted

from brownout.adapters.influx.bucket import BucketDatabase
from brownout.adapters.influx.connect import connect, identify, secret
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.adapters.influx.sql import SqlDatabase
from brownout.domain.errors import DatabaseError, SettingsError
from brownout.settings import InfluxSettings


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def ping(version: str) -> Answer:
    return Answer(status=204, headers=(("X-Influxdb-Version", version),))


JSON = Answer(b'{"version":"3.4.1","revision":"x"}', headers=(("Content-Type", "application/json"),))


@pytest.mark.parametrize(
    ("answer", "generation", "kind"),
    [(ping("1.11.8"), 1, InfluxQlDatabase), (ping("v2.7.12"), 2, BucketDatabase), (JSON, 3, SqlDatabase)],
)
def test_each_generation_is_known_by_its_ping(script: Script, answer: Answer, generation: int, kind: type) -> None:
    settings = InfluxSettings(url=script.url, org="o")
    script.answers = [answer, answer]
    assert identify(settings).generation == generation
    assert isinstance(connect(settings), kind)


def test_a_real_1x_is_known(influx: Influx) -> None:
    assert identify(InfluxSettings(url=influx.url)).generation == 1


def test_behind_a_proxy_the_settings_say_which(script: Script) -> None:
    script.answers = [Answer(b"<h1>hello</h1>", headers=(("Content-Type", "text/html"),))]
    with pytest.raises(DatabaseError, match="does not say that it is an InfluxDB") as caught:
        connect(InfluxSettings(url=script.url))
    assert "version = 1, 2 or 3" in caught.value.remedy
    assert isinstance(connect(InfluxSettings(url=script.url, version=3)), SqlDatabase)


def test_a_2x_without_an_org_is_told_what_it_lacks(script: Script) -> None:
    script.answers = [ping("v2.7.12")]
    with pytest.raises(SettingsError, match="org"):
        connect(InfluxSettings(url=script.url))


def test_the_secret_comes_from_the_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROWNOUT_INFLUXDB_TOKEN", raising=False)
    monkeypatch.delenv("BROWNOUT_INFLUXDB_PASSWORD", raising=False)
    plain = InfluxSettings(url="http://h:1")
    assert secret(plain) == ""
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", "of the environment")
    assert secret(plain) == "of the environment"
    path = tmp_path / "secret"
    path.write_text("of the file\n")
    assert secret(InfluxSettings(url="http://h:1", secret_file=path)) == "of the file"
    with pytest.raises(SettingsError, match="nowhere"):
        secret(InfluxSettings(url="http://h:1", secret_file=tmp_path / "nowhere"))
