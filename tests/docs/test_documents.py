"""README and docs: what they tell a reader to type exists, and what they link to is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from brownout.cli import app

ROOT = Path(__file__).parents[2]
GENERATED = {ROOT / "docs" / f"{name}.md" for name in ("causes", "settings", "cli", "glossary")}
"""Pages that MkDocs' hook makes when the docs are built."""
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
OTHERS = sorted(path for folder in ("lab", "benchmarks", "datasets") for path in (ROOT / folder).rglob("README.md"))
SOURCE = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
COMMAND: Any = typer.main.get_command(app)


def typed(text: str) -> list[str]:
    """Commands of shell blocks, without comments, and of sentences; lines that go on are joined."""
    blocks = re.findall(r"```(?:shell|sh)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    inline = [" ".join(said.split()) for said in re.findall(r"(?<!`)`(brownout [a-z][^`]*)`(?!`)", text)]
    return [
        *(line.split("#")[0].strip() for line in lines if line.startswith("brownout ")),
        *(said for said in inline if "|" not in said),
    ]


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = COMMAND
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_documents_exist_with_their_options(page: Path) -> None:
    for line in typed(page.read_text()):
        command, rest = resolve(line.split()[1:])
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known | {"--help"}, line


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_programs_in_documents_exist(page: Path) -> None:
    for name in re.findall(r"(?<![\w/])(?:python3? |`)(benchmarks/[\w/]+\.py|-m lab[\w.]*)", page.read_text()):
        module = ROOT / name.removeprefix("-m ").replace("lab.", "lab/")
        assert any(path.is_file() for path in (module, module.with_suffix(".py"), module / "__main__.py")), name


def test_what_troubleshooting_quotes_is_said() -> None:
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    quoted = [words for row in rows for words in re.findall(r'"(.*?)"', row)]
    assert len(quoted) >= 4
    said = re.sub(r"\{.*?\}", "forecaster", SOURCE)
    assert [words for words in quoted if words not in said] == []


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http", "mailto")):
            path = page.parent / target
            assert path.exists() or path in GENERATED, f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_in_documents_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    blocks = "\n".join(re.findall(r"```shell\n(.*?)```", page.read_text(), re.DOTALL))
    assert set(re.findall(r"^make ([a-z]+)", blocks, re.MULTILINE)) <= targets


def test_every_command_is_documented() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in COMMAND.commands if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_secrets_in_documents_are_read_under_that_name(page: Path) -> None:
    """By brownout, or by the tools that are named beside it."""
    others = {"AWS_SECRET_ACCESS_KEY"}
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*(?:TOKEN|PASSWORD|KEY)\b", page.read_text())) - others
    assert {name for name in named if f'"{name}"' not in SOURCE} == set()
