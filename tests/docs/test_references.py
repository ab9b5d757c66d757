"""References made from the code: nothing is missing, and the units of systemd start commands that exist."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from brownout.cli import app

ROOT = Path(__file__).parents[2]
COMMAND: Any = typer.main.get_command(app)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("make_references", ROOT / "docs" / "make_references.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, str] = module.pages()
    return made


def test_every_key_of_the_example_stands_on_the_page_of_settings(pages: dict[str, str]) -> None:
    page = pages["settings.md"]
    for name, value in tomllib.loads((ROOT / "examples" / "brownout.toml").read_text()).items():
        heads = {dict: f"## [{name}]", list: f"## [[{name}]]"}
        assert heads.get(type(value), f"| `{name}` |") in page, name
        tables = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        for key in (key for table in tables for key in table):
            assert f"| `{key}` |" in page, key
    assert "| `shadow_nights` | whole number | `0` | Nights in which it forecasts" in page
    assert "| `from` | time |" in page  # a key whose name is no name of Python's


def test_every_key_says_what_it_is(pages: dict[str, str]) -> None:
    rows = [line for line in pages["settings.md"].splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if not row.split(" | ")[-1].strip(" |") or "Ellipsis" in row] == []


def test_every_command_and_option_stands_on_the_page_of_commands(pages: dict[str, str]) -> None:
    def leaves(command: Any, path: str) -> list[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            return [(path, command)]
        return [leaf for name, child in command.commands.items() for leaf in leaves(child, f"{path} {name}")]

    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", pages["cli.md"], re.DOTALL | re.MULTILINE))
    for path, command in leaves(COMMAND, "brownout"):
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(f"`{name}`" in sections[path] for name in parameter.opts), (path, parameter.name)


def test_the_glossary_has_terms_with_meanings(pages: dict[str, str]) -> None:
    rows = [line for line in pages["glossary.md"].splitlines() if line.startswith("| ")]
    assert len(rows) > 30
    assert all(len(row.split(" | ")) == 2 for row in rows[1:])


@pytest.mark.parametrize("unit", sorted((ROOT / "examples" / "systemd").glob("*.service")), ids=lambda path: path.name)
def test_units_start_commands_that_exist_and_have_a_timer_or_go_on(unit: Path) -> None:
    assert unit.with_suffix(".timer").is_file() or {"--every", "WantedBy=multi-user.target"} <= set(
        unit.read_text().split()
    )
    started = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    assert started
    for line in started:
        program, name, *rest = shlex.split(line)
        assert program == "/opt/brownout/bin/brownout"
        known = {flag for parameter in COMMAND.commands[name].params for flag in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known
