"""A site's knowledge: whatever is misspelt is named with its file, its table and the nearest name that exists."""

from pathlib import Path

import pytest

from brownout.domain.errors import KnowledgeError
from brownout.site_knowledge import load_definitions


def test_what_ships_fits_together() -> None:
    shipped = load_definitions()
    assert shipped.catalogue.metrics
    assert shipped.rules
    assert shipped.knowledge.causes
    assert shipped.remedies.table


def test_an_empty_site_changes_nothing(tmp_path: Path) -> None:
    assert load_definitions(tmp_path) == load_definitions()


RULE = '[[rules]]\nid = "{id}"\ntitle = "T"\ntests = [{{ metric = "{metric}", op = ">", value = 1 }}]\n'
REMEDY = """
[remedies.{id}]
title = "Do"
command = "true"
confirm = "uptime"
verify = "{verify}"
risk = "live"
rollback = "none"
gain = [0, 1]
"""


@pytest.mark.parametrize(
    ("file", "text", "named", "near"),
    [
        ("catalogue.toml", '[metrics.m]\nentity_kinds = ["hots"]\n', "metrics.m hots", "host"),
        ("catalogue.toml", '[metrics.m]\nworse = "upp"\n', "metrics.m upp", "up"),
        ("rules.toml", RULE.format(id="R", metric="vm_cpu_pc"), "rules.R vm_cpu_pc", "vm_cpu_pct"),
        (
            "symptoms.toml",
            '[symptoms.ready]\nmetric = "vm_redy_pct"\n',
            "symptoms.ready vm_redy_pct",
            "vm_ready_pct",
        ),
        ("causes.toml", '[causes.HW-01]\nfamily = "cp"\n', "causes.HW-01 cp", "cpu"),
        ("remedies.toml", REMEDY.format(id="HW-99", verify="vm_cpu_pct"), "remedies.HW-99 HW-99", "HW-0"),
        ("remedies.toml", REMEDY.format(id="HW-01", verify="vm_cpu"), "remedies.HW-01 vm_cpu", "vm_cpu_pct"),
        ("remedies.toml", '[breaches]\nvm_cpu_pct = "SW-5"\n', "breaches.vm_cpu_pct SW-5", "SW-05"),
        ("learned.toml", "[learned.cpus]\nprior = 1\nweights = {}\n", "learned.cpus cpus", "cpu"),
        ("causes.toml", '[cause.X]\ntitle = "T"\n', "causes.toml cause", "causes"),
        ("cuases.toml", "", "cuases.toml cuases", "causes.toml"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_where_and_what_is_near(
    file: str, text: str, named: str, near: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(KnowledgeError) as caught:
        load_definitions(tmp_path)
    assert all(part in caught.value.what for part in (file, *named.split()))
    assert near in caught.value.remedy


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="absent"):
        load_definitions(tmp_path / "absent")


def test_a_site_adds_overrides_and_takes_out(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(
        '[metrics.host_cpu_busy_pct]\nlimit = 70\n[metrics.our_queue]\ntitle = "Q"\n'
    )
    (tmp_path / "rules.toml").write_text(
        RULE.format(id="R-OURS", metric="our_queue") + '[[rules]]\nid = "R-CPU-BUSY"\nenabled = false\n'
    )
    (tmp_path / "remedies.toml").write_text('[remedies.HW-01]\ntitle = "Call Ada"\n')
    shipped, site = load_definitions(), load_definitions(tmp_path)
    assert site.catalogue.metrics["host_cpu_busy_pct"].limit == 70
    assert site.catalogue.metrics["host_cpu_busy_pct"].unit == "%"
    ids = [{rule.id for rule in each.rules} for each in (shipped, site)]
    assert (ids[0] - ids[1], ids[1] - ids[0]) == ({"R-CPU-BUSY"}, {"R-OURS"})
    assert site.remedies.of("HW-01").title == "Call Ada"
    assert site.remedies.of("HW-01").command == shipped.remedies.of("HW-01").command


def test_a_remedy_may_stay_though_a_site_took_its_cause_out(tmp_path: Path) -> None:
    (tmp_path / "causes.toml").write_text("[causes.MAINT-06]\nenabled = false\n")
    assert "MAINT-06" in load_definitions(tmp_path).remedies.table
