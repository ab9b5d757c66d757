"""Which alerts follow from a night, and what they say."""

from dataclasses import replace

from nights import HOSTILE, hours, night

from brownout.domain.findings import Severity
from brownout.nightly.effects.alerting.night_alerts import alert_probabilities, alerts_of


def test_one_alert_an_open_incident_and_one_a_breach_with_skill() -> None:
    incident, breach = alerts_of(night(), min_probability=0.5, report_url="https://reports/brownout/index.html")
    assert incident.labels == {
        "alertname": "BrownoutIncident", "cause": "HW-01", "entity": "kvm1", "metric": "console_update_ms",
        "severity": "critical",
    }  # fmt: skip
    assert incident.starts == hours(20)
    assert incident.link == "https://reports/brownout/index.html#incident-d1"
    assert "93 %" in incident.annotations["summary"]
    assert incident.annotations["action"].startswith("Move guests off the host")
    assert "180 ms" in incident.annotations["values"]
    assert breach.labels == {
        "alertname": "BrownoutForecast", "cause": "LEAK-01", "entity": "vm1", "metric": "vm_memory_usable_pct",
        "severity": "warning",
    }  # fmt: skip
    assert breach.annotations["probability"] == "91 %"
    assert "between Tue 17 Mar 01:00 and Tue 17 Mar 16:00 UTC" in breach.annotations["dates"]


def test_a_breach_whose_chances_are_no_better_than_climatology_is_in_the_report_only() -> None:
    made = night()
    spoilt = tuple(replace(s, brier=s.brier_base) if s.metric == "vm_memory_usable_pct" else s for s in made.skills)
    for skills in (spoilt, (), tuple(replace(s, brier=float("nan")) for s in made.skills)):
        kinds = [alert.labels["alertname"] for alert in alerts_of(replace(made, skills=skills), min_probability=0.1)]
        assert kinds == ["BrownoutIncident"]


def test_what_is_over_exceeded_or_unlikely_begins_nothing() -> None:
    made = night()
    over = tuple(replace(diagnosis, open=False) for diagnosis in made.diagnoses)
    exceeded = tuple(replace(breach, exceeded=True) for breach in made.breaches)
    assert [a.begins for a in alerts_of(replace(made, diagnoses=over, breaches=exceeded), min_probability=0.5)] == [
        False
    ]
    assert [a.begins for a in alerts_of(replace(made, diagnoses=over), min_probability=0.95)] == [False]


def test_what_is_written_back_for_grafana_is_the_chance_of_what_alerts() -> None:
    made = night()
    alerted = [alert.entity for alert in alerts_of(made, min_probability=0.5) if "dates" in alert.annotations]
    chances = dict(zip(made.breaches, alert_probabilities(made), strict=True))
    assert [breach.series.entity for breach, chance in chances.items() if chance] == alerted == ["vm1"]
    assert {chance for breach, chance in chances.items() if chance} == {made.breaches[0].probability}
    exceeded = tuple(replace(breach, exceeded=True) for breach in made.breaches)
    far = tuple(replace(breach, horizon_s=made.horizon_s * 2) for breach in made.breaches)
    spoilt = tuple(replace(skill, brier=skill.brier_base) for skill in made.skills)
    for silent in (replace(made, breaches=exceeded), replace(made, breaches=far), replace(made, skills=spoilt)):
        assert set(alert_probabilities(silent)) == {0.0}


def test_labels_stay_while_values_change() -> None:
    made = night()
    worse = tuple(replace(episode, severity=9.0) for episode in made.episodes)
    later = replace(
        made, end=hours(30), episodes=worse, breaches=tuple(replace(b, probability=0.6) for b in made.breaches)
    )
    labels = [[a.labels for a in alerts_of(n, min_probability=0.5)] for n in (made, later)]
    assert labels[0] == labels[1]


def test_an_unknown_cause_is_a_warning_at_what_moved_first() -> None:
    made = night()
    unknown = replace(made.diagnoses[0], causes=made.diagnoses[1].causes)
    alert = alerts_of(replace(made, diagnoses=(unknown,)), min_probability=0.5)[0]
    assert (alert.severity, alert.labels["cause"], alert.entity) == (Severity.WARNING, "unknown", "vm1/console")


def test_two_incidents_of_one_cause_at_one_entity_are_one_alert() -> None:
    made = night()
    twin = replace(made.diagnoses[0], id="d9")
    alerts = alerts_of(replace(made, diagnoses=(*made.diagnoses, twin)), min_probability=0.5)
    assert [alert.labels["alertname"] for alert in alerts] == ["BrownoutIncident", "BrownoutForecast"]


def test_names_from_telemetry_are_text_on_one_line() -> None:
    for alert in alerts_of(night(HOSTILE + "\x1b[31m\n\u202e"), min_probability=0.5):
        for text in (*alert.labels.values(), *alert.annotations.values()):
            assert "\x1b" not in text
            assert "\u202e" not in text
        assert all("\n" not in text for text in alert.annotations.values())
