"""What came of earlier nights: warnings and logged actions beside what was measured, each by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import night

from brownout.domain.encoding import encode
from brownout.domain.entities import Entity, Topology
from brownout.domain.errors import DataError
from brownout.domain.findings import Action, Effect
from brownout.domain.findings.past_scores import AdviceVerdict, DoneAction
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.nightly.effects import track_record
from brownout.nightly.effects.action_log import ToLog, done_actions, log_actions, rows_of_file
from brownout.nightly.effects.report_archive import archive_name
from brownout.planning.remedies import Remedies
from brownout.reporting import report_json, report_of
from brownout.reporting.anchors import action_anchor
from brownout.settings import Settings
from brownout.store.workspace import Workspace

START = np.datetime64("2026-03-16T00:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
METRICS = Catalogue.load().metrics
REMEDIES = Remedies.load()
SLOTS = 96


class Span:
    end = START + SLOTS * HOUR // 2
    first = START


class Context:
    """What scoring reads of a night's context."""

    span = Span()
    settings = Settings()
    metrics = METRICS
    topology = Topology.of(
        [
            Entity(id="kvm1", kind="host"),
            Entity(id="vm1", kind="vm", parent="kvm1"),
            Entity(id="vm1/console", kind="console", parent="vm1"),
        ]
    )


def use(monkeypatch: pytest.MonkeyPatch, values: np.ndarray, entity: str, metric: str) -> None:
    """Let one series be all that is measured, in half hours from the start."""
    panel = Panel(
        values.astype(np.float32)[None, :, None], START, 1800, (Context.topology[entity],), (METRICS[metric],)
    )
    monkeypatch.setattr(track_record, "panels_on_one_grid", lambda *_: (panel,))


def archived(out: Path, *breaches: dict[str, object]) -> Workspace:
    workspace = Workspace(out)
    folder = workspace.archive / archive_name(START)
    folder.mkdir(parents=True)
    written = {"window": {"end": "2026-03-16T00:00:00Z"}, "breaches": list(breaches)}
    (folder / "report.json").write_text(json.dumps(written))
    return workspace


def warned(probability: float = 0.8, hours: float = 24, **more: object) -> dict[str, object]:
    return {
        "entity": "kvm1", "metric": "host_cpu_busy_pct", "limit": 90.0, "probability": probability,
        "earliest": "2026-03-16T04:00:00Z", "latest": "2026-03-16T06:00:00Z", "horizon_s": hours * 3600, **more,
    }  # fmt: skip


def test_a_warning_that_came_in_time_and_one_that_did_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.full(SLOTS, 50.0)
    values[10] = 95.0  # 05:00
    use(monkeypatch, values, "kvm1", "host_cpu_busy_pct")
    found = track_record.past_scores(Context(), archived(tmp_path, warned(0.8), warned(0.3, limit=97.0)))
    assert found.warnings.told == 2
    assert found.warnings.came == 1
    assert found.warnings.expected == pytest.approx(1.1)
    assert (found.warnings.dated, found.warnings.inside) == (1, 1)


def test_what_is_not_over_was_exceeded_or_not_measured_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, np.full(SLOTS, np.nan), "kvm1", "host_cpu_busy_pct")
    others = (warned(hours=240), warned(exceeded=True), warned())
    assert track_record.past_scores(Context(), archived(tmp_path, *others)).warnings.told == 0


def test_a_crossing_after_the_time_of_the_warning_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.full(SLOTS, 50.0)
    values[60] = 95.0  # 30 hours after the night
    use(monkeypatch, values, "kvm1", "host_cpu_busy_pct")
    found = track_record.past_scores(Context(), archived(tmp_path, warned()))
    assert (found.warnings.told, found.warnings.came) == (1, 0)


def test_a_damaged_report_says_nothing_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, np.full(SLOTS, 50.0), "kvm1", "host_cpu_busy_pct")
    workspace = archived(tmp_path, warned())
    broken = workspace.archive / archive_name(START + HOUR)
    broken.mkdir()
    (broken / "report.json").write_text("{")
    assert track_record.past_scores(Context(), workspace).warnings.told == 1


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(30.0, AdviceVerdict.AS_SAID), (10.0, AdviceVerdict.BETTER), (90.0, AdviceVerdict.WORSE),
     (np.nan, AdviceVerdict.UNKNOWN)],
)  # fmt: skip
def test_an_action_is_judged_by_the_day_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, verdict: AdviceVerdict
) -> None:
    values = np.full(SLOTS, 200.0)
    values[22:] = after  # an hour after it was done
    use(monkeypatch, values, "vm1/console", "console_update_ms")
    workspace = Workspace(tmp_path)
    done = DoneAction(
        at=START + 10 * HOUR, night="n", link="a-1", entity="vm1", title="Uncap", metric="console_update_ms",
        before=200.0, low=20.0, high=40.0,
    )  # fmt: skip
    workspace.actions.write_text(encode(done, indent=None) + "\n")
    found = track_record.past_scores(Context(), workspace).advice
    assert [one.verdict for one in found] == [verdict]
    if np.isfinite(after):
        assert found[0].came == pytest.approx(after)


def test_an_action_of_just_now_is_not_judged_and_one_without_a_prediction_is_said_to_have_none(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    done = DoneAction(at=Span.end - HOUR, night="n", link="a", entity="vm1", title="t", metric="console_update_ms")
    plain = DoneAction(at=START, night="n", link="b", entity="vm1", title="t")
    workspace.actions.write_text("".join(encode(one, indent=None) + "\n" for one in (plain, done)))
    verdicts = [one.verdict for one in track_record.past_scores(Context(), workspace).advice]
    assert verdicts == [AdviceVerdict.EARLY, AdviceVerdict.UNSAID]


@pytest.fixture
def told(tmp_path: Path) -> tuple[Workspace, Action]:
    """An output folder whose last report proposes an action with an effect."""
    workspace, known = Workspace(tmp_path), night()
    effect = Effect(metric="console_update_ms", now_ms=200.0, low_ms=20.0, high_ms=40.0, consoles=3)
    action = replace(known.actions[0], effect=effect)
    report = report_of(replace(known, actions=(action, *known.actions[1:])))
    workspace.report.mkdir()
    (workspace.report / "report.json").write_text(report_json(report))
    return workspace, action


def test_an_action_is_logged_with_what_was_predicted_and_twice_is_once(told: tuple[Workspace, Action]) -> None:
    workspace, action = told
    link = action_anchor(action.about, action.title, action.entity)
    for name in (link, f"#{link}"):
        log_actions(workspace, [ToLog(action=name, at=START, note="by hand")], REMEDIES)
    (done,) = done_actions(workspace)
    assert (done.low, done.high, done.before) == (20.0, 40.0, 200.0)
    assert (done.title, done.entity, done.note) == (action.title, action.entity, "by hand")


def test_one_unknown_action_keeps_all_of_a_file_from_being_logged(told: tuple[Workspace, Action]) -> None:
    workspace, action = told
    link = action_anchor(action.about, action.title, action.entity)
    path = workspace.out / "done.csv"
    path.write_text(f"action,at\n{link},2026-03-16T10:00Z\nnobody,\n")
    rows = rows_of_file(path, START)
    assert [row.at for row in rows] == [START + 10 * HOUR, START]
    with pytest.raises(DataError, match="nobody"):
        log_actions(workspace, rows, REMEDIES)
    assert done_actions(workspace) == ()


@pytest.mark.parametrize(("text", "says"), [("name\nx\n", "columns"), ("action,at\nx,noon\n", "noon")])
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "done.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        rows_of_file(path, START)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.actions.write_text('{"at": 3}\n')
    with pytest.raises(DataError, match="Line 1"):
        done_actions(workspace)
