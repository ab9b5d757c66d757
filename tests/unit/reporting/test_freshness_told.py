"""What the report says of telemetry that stopped, as a whole or in part: headline, sentences, JSON, page and text."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from nights import hours, night

from brownout.domain.findings import Freshness, Silence
from brownout.reporting import report_of
from brownout.reporting.document import report_json
from brownout.reporting.render import render_html, render_markdown

FRESH = Freshness(at=hours(24), newest=hours(24), age_s=0.0, stale=False, regular=4)
STALE = replace(FRESH, at=hours(24 + 480), age_s=480 * 3600.0, stale=True)
KVM2 = Silence(entity="kvm2", since=hours(20), below=("vm7", "vm8"))
HEAT = Silence(entity="kvm1", since=hours(18), families=("power",), metrics=("host_freq_ratio",), whole=False)


def test_telemetry_that_stopped_leads_headline_sentences_json_and_pages() -> None:
    report = report_of(replace(night(), freshness=STALE, breaches=(), consoles=()))
    assert report.summary.headline.startswith("No data since Tue 17 Mar 00:00 UTC, 20 d")
    assert "Nothing is forecast" in report.summary.sentences[0]
    assert "1 incident was going on then" in report.summary.sentences[0]
    document = json.loads(report_json(report))
    assert (document["freshness"]["stale"], document["freshness"]["age_s"]) == (True, 20 * 86400)
    for text in (render_html(report), render_markdown(report)):
        assert "No data since Tue 17 Mar 00:00 UTC, 20 d" in text
        assert "No limit will probably be crossed" not in text
    assert {root.status for root in report.fleet} <= {"silent", "incident"}


def test_what_is_silent_is_named_with_since_when_in_every_form() -> None:
    report = report_of(replace(night(), freshness=replace(FRESH, silences=(KVM2, HEAT))))
    assert "kvm2 and 2 entities below it: no data since Mon 16 Mar 20:00 UTC." in report.summary.sentences
    assert "1 metric of kvm1 (power) not measured since Mon 16 Mar 18:00 UTC." in report.summary.sentences
    (root,) = [root for root in report.fleet if root.entity == "kvm2"]
    assert (root.status, root.note) == ("silent", "no data since Mon 16 Mar 20:00 UTC")
    for text in (render_html(report), render_markdown(report)):
        assert "since Mon 16 Mar 20:00 UTC" in text
        assert "since Mon 16 Mar 18:00 UTC" in text


@pytest.mark.parametrize(("share", "said"), [(0.5, "50 % of the fleet fell silent"), (0.25, "3 entities have fallen")])
def test_a_silent_fleet_is_never_nothing(share: float, said: str) -> None:
    quiet = replace(night(), diagnoses=(), episodes=(), suppressed=(), breaches=(), actions=(), charts={})
    assert report_of(replace(quiet, freshness=FRESH)).summary.headline.startswith("Nothing is going on")
    silent = replace(FRESH, silences=(KVM2,), share=share)
    assert said in report_of(replace(quiet, freshness=silent)).summary.headline


def test_what_is_explained_is_listed_but_leads_nothing() -> None:
    quiet = replace(night(), diagnoses=(), episodes=(), suppressed=(), breaches=(), actions=(), charts={})
    removed = replace(KVM2, entity="kvm2", expected="announced maintenance")
    report = report_of(replace(quiet, freshness=replace(FRESH, silences=(removed,))))
    assert report.summary.headline.startswith("Nothing is going on")
    assert "announced maintenance" in render_markdown(report)
    assert "announced maintenance" in render_html(report)


def test_a_report_without_freshness_is_read_and_shown() -> None:
    document = json.loads(report_json(report_of(night())))
    assert document["freshness"] is None
    assert np.datetime64(document["created"][:-1]) == np.datetime64(night().created, "s")


def test_what_is_too_new_and_what_is_measured_seldom_is_said() -> None:
    made = night()
    quality = replace(made.quality, judged_from={"kvm1": hours(30), "kvm2": hours(31)}, seldom={"kvm1": 1800.0})
    report = report_of(replace(made, quality=quality))
    said = "2 entities are too new to be judged by anything but limits until Tue 17 Mar 07:00 UTC."
    assert said in report.summary.sentences
    assert "too new to be judged" in render_html(report)
    for text in (render_html(report), render_markdown(report)):
        assert "kvm1 (every 30 min)" in re.sub(r"<[^>]+>", "", text)
