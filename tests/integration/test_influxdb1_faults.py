"""What goes wrong between a real InfluxDB 1.x and us: nothing is taken for whole that is not, and nothing is lost."""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influx import HOW_TO_GET_IT, PASSWORD, Handler, Influx, Spoiler, busy, cut, garbled, influxd, shortened, spoiling
from servers import free_port

from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.influxql import InfluxQlDatabase
from brownout.domain.errors import DatabaseError, HistoryError
from brownout.ingest.canonical import Canonicaliser
from brownout.ingest.line_protocol import Points, batches
from brownout.ingest.mapping import TelegrafMapping
from brownout.ingest.raw import Request
from brownout.operate.sources import DatabaseSource
from brownout.operate.sync import sync
from brownout.store.history import History

START = np.datetime64("2026-03-02T00:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
Plan = Callable[[Handler, int, bytes], None]


def cpu(hosts: int = 3, slots: int = 360, **fields: np.ndarray) -> Points:
    """Six hours of the measurement cpu."""
    series = np.repeat(np.arange(hosts), slots)
    times = np.tile(START.astype(np.int64) + np.arange(slots) * 60_000, hosts)
    idle = np.linspace(5, 95, hosts * slots)
    return Points(
        measurement="cpu",
        tags=[{"host": f"kvm{number}", "cpu": "cpu-total"} for number in range(hosts)],
        series=series,
        times=times,
        fields={"usage_idle": idle, "usage_iowait": np.ones(len(idle)), **fields},
    )


def everything(fields: tuple[str, ...] = ("usage_idle", "usage_iowait"), **options: object) -> Request:
    return Request(measurement="cpu", fields=fields, start=START, end=START + 6 * HOUR, **options)  # type: ignore[arg-type]


def source(database: InfluxQlDatabase, end: np.datetime64 = START + 6 * HOUR) -> DatabaseSource:
    return DatabaseSource(Canonicaliser(database, TelegrafMapping.load(), 60), since=START, now=end, lookback=0 * HOUR)


@pytest.fixture(scope="module")
def filled(influx: Influx) -> InfluxQlDatabase:
    database = influx.database("faults")
    database.write(batches(cpu()))
    return database


@pytest.fixture
def spoiler(influx: Influx) -> Iterator[Spoiler]:
    with spoiling(influx.url) as proxy:
        yield proxy


@pytest.mark.parametrize("plan", [cut, busy], ids=["cut", "busy"])
def test_what_helps_to_try_again_is_tried_again(
    influx: Influx, filled: InfluxQlDatabase, spoiler: Spoiler, plan: Plan
) -> None:
    expected = filled.read(everything())
    spoiler.plans = [plan, plan]
    found = influx.database("faults", url=spoiler.url).read(everything())
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.tags == expected.tags
    assert len(spoiler.seen) == 3


@pytest.mark.parametrize(
    ("plan", "says"),
    [(cut, "no answer"), (busy, "503: busy"), (shortened, "broken off in the middle"), (garbled, "12x4")],
    ids=["cut", "busy", "shortened", "garbled"],
)
def test_what_does_not_help_is_an_error_that_names_the_slice(
    influx: Influx, filled: InfluxQlDatabase, spoiler: Spoiler, plan: Plan, says: str
) -> None:
    del filled
    spoiler.plans = [plan] * 9
    database = influx.database("faults", url=spoiler.url, attempts=3)
    with pytest.raises(DatabaseError, match=says) as caught:
        database.read(everything())
    assert "reading cpu from 2026-03-02T00:00:00.000 to 2026-03-02T06:00:00.000" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_an_error_in_the_middle_of_a_sync_leaves_the_watermark_where_it_was(
    influx: Influx, filled: InfluxQlDatabase, spoiler: Spoiler, tmp_path: Path
) -> None:
    sync(source(filled), tmp_path / "undisturbed")
    broken = source(influx.database("faults", url=spoiler.url, attempts=1))
    assert broken.metrics  # the schema is read before the spoiling begins
    spoiler.plans = [shortened]
    with pytest.raises(DatabaseError, match="broken off"):
        sync(broken, tmp_path / "killed")
    with pytest.raises(HistoryError, match="holds no history"):
        History.open(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("*.parquet"))
    sync(source(filled), tmp_path / "killed")
    for name in ("samples/2026-03-02T00.parquet", "history.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_the_servers_own_limit_is_noticed(tmp_path: Path) -> None:
    if shutil.which("influxd") is None:
        pytest.skip(HOW_TO_GET_IT)
    with influxd(tmp_path) as patient:
        patient.database("limited").write(batches(cpu(hosts=600)))
    with influxd(tmp_path, query_timeout="100ms") as hasty:
        database = InfluxQlDatabase(Connection(url=hasty.url), database="limited", user="admin", password=PASSWORD)
        # On a busy machine the time is over before the first row is sent.
        with pytest.raises(DatabaseError, match=r"broken off (in the middle|before its first row)|timeout") as caught:
            database.read(everything())
        assert "query-timeout" in caught.value.remedy


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    away = Connection(url=f"http://127.0.0.1:{free_port()}", attempts=2, budget_s=5)
    database = InfluxQlDatabase(away, database="d", user="u", password=PASSWORD)
    with pytest.raises(DatabaseError, match="no answer") as caught:
        database.schemas()
    assert "Check the url" in caught.value.remedy
    assert PASSWORD not in str(caught.value)


def test_wrong_credentials_and_missing_rights_are_told_apart_from_absence(influx: Influx) -> None:
    influx.database("rights")
    url = influx.url
    wrong = InfluxQlDatabase(Connection(url=url), database="rights", user="reader", password="no")  # noqa: S106
    stranger = InfluxQlDatabase(Connection(url=url), database="rights", user="stranger", password=PASSWORD)
    nowhere = InfluxQlDatabase(Connection(url=url), database="nowhere", user="admin", password=PASSWORD)
    for database, says in (
        (wrong, "401"),
        (stranger, "not authorized|403"),
        (nowhere, "database nowhere.*no such database"),
    ):
        with pytest.raises(DatabaseError, match=says):
            database.schemas()
    reader = influx.database("rights", user="reader")
    reader.schemas()
    with pytest.raises(DatabaseError, match="403"):
        reader.write(batches(cpu()))


def test_integers_and_floats_of_one_field_and_text_in_another_are_read_or_named(influx: Influx) -> None:
    database = influx.database("conflicts")
    week = 7 * 24 * HOUR
    database.write([f"mem,host=a available_percent=40i {START.astype(np.int64)}\n"])
    later = (START + week).astype(np.int64)
    database.write([f'mem,host=a available_percent=41.5 {later}\nmem,host=a total="much" {later}\n'])
    schema = database.schemas()["mem"]
    assert schema.fields == ("available_percent",)
    assert schema.texts == ("total",)
    asked = Request(measurement="mem", fields=("available_percent",), start=START, end=START + 2 * week)
    assert database.read(asked).values.tolist() == [[40], [41.5]]


def test_samples_of_the_future_wait_until_their_time_comes(influx: Influx, tmp_path: Path) -> None:
    database = influx.database("future")
    database.write(batches(cpu()))
    assert sync(source(database, START + 3 * HOUR), tmp_path).rows == 3 * 180
    assert History.open(tmp_path).spans()["kvm0"].last < START + 3 * HOUR
    assert sync(source(database), tmp_path).rows == 3 * 360


def test_tens_of_thousands_of_series_are_one_answer(influx: Influx) -> None:
    database = influx.database("many")
    number = 30_000
    database.write(
        batches(
            Points(
                measurement="cpu",
                tags=[{"host": f"h{i}", "cpu": "cpu-total"} for i in range(number)],
                series=np.arange(number),
                times=np.full(number, START.astype(np.int64)),
                fields={"usage_idle": np.arange(number, dtype=float)},
            )
        )
    )
    found = database.read(everything(("usage_idle",)))
    assert len(found.tags) == number
    assert {tags["host"]: value for tags, value in zip(found.tags, found.values[:, 0], strict=True)} == {
        f"h{i}": float(i) for i in range(number)
    }


def test_means_of_the_server_are_ours(influx: Influx, filled: InfluxQlDatabase) -> None:
    del influx
    raw, means = filled.read(everything()), filled.read(everything(every_s=300))
    own = raw.values.reshape(3, -1, 5, 2).mean(axis=2).reshape(-1, 2)
    np.testing.assert_allclose(means.values, own)
    assert means.times[0] == START.astype(np.int64)


PIECES = [*"\"'\\,= $;*|/{}()<>&#\t%", "../", "${", "|> drop()", "'; DROP DATABASE hostile; --", "<b>"]
HOSTILE = st.lists(
    st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=12
).map("".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE, other=HOSTILE)
def test_hostile_names_stay_text_on_the_way_in_out_and_in_conditions(influx: Influx, value: str, other: str) -> None:
    database = influx.database("hostile")
    name = f"cpu{abs(hash((value, other)))}"
    points = Points(
        measurement=name,
        tags=[{"host": value, "cpu": other}, {"host": "plain", "cpu": "cpu-total"}],
        series=np.array([0, 1]),
        times=np.array([START.astype(np.int64)] * 2),
        fields={"usage_idle": np.array([1.0, 2.0])},
    )
    database.write(batches(points))
    asked = Request(measurement=name, fields=("usage_idle",), start=START, end=START + HOUR)
    found = {tags.get("host", ""): row for tags, row in zip(database.read(asked).tags, (0, 1), strict=True)}
    # Line protocol cannot end a value with a backslash: a space follows it.
    stored = [own + " " if own.endswith("\\") else own for own in (value, other)]
    assert set(found) == {stored[0], "plain"}
    only = database.read(replace(asked, where={"host": stored[0]}))
    assert [dict(tags) for tags in only.tags] == [{"host": stored[0], "cpu": stored[1]}]
    assert database.read(replace(asked, where={"host": f"{stored[0]}' OR host =~ /.*/ --"})).tags == ()
    assert "hostile" in str(influx.ask("SHOW DATABASES"))


@given(name=HOSTILE)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_measurements_and_fields_are_only_names(influx: Influx, name: str) -> None:
    database = influx.database("names")
    asked = Request(measurement=name, fields=(name,), start=START, end=START + HOUR, where={name: name})
    assert database.read(asked).tags == ()
    assert "names" in str(influx.ask("SHOW DATABASES"))


def test_no_secret_is_logged(
    influx: Influx, filled: InfluxQlDatabase, spoiler: Spoiler, caplog: pytest.LogCaptureFixture
) -> None:
    del filled
    caplog.set_level(logging.DEBUG)
    spoiler.plans = [busy]
    influx.database("faults", url=spoiler.url).read(everything())
    assert "retry" in caplog.text  # trying again is said …
    assert PASSWORD not in caplog.text  # … and nothing more
