"""The page of causes is made from the knowledge when the docs are built: nothing of it can go stale."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from brownout.diagnosis.knowledge.knowledge_base import Knowledge

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_causes", ROOT / "docs" / "make_causes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_cause_and_every_symptom_stands_on_the_page(module: ModuleType) -> None:
    knowledge = Knowledge.load()
    page = module.pages(knowledge)["causes.md"]
    rows = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    assert set(knowledge.causes) <= set(rows)
    assert {name.replace("_", " ") for name in knowledge.symptoms} <= set(rows)


def test_every_picture_of_the_page_is_drawn_with_its_causes(module: ModuleType) -> None:
    knowledge = Knowledge.load()
    files = module.pages(knowledge)
    for path in re.findall(r"\]\((images/[^)]+)\)", files["causes.md"]):
        family = path.removeprefix("images/causes-").removesuffix(".svg")
        texts = [element.text for element in ET.fromstring(files[path]).iter() if element.text]  # noqa: S314 - our own
        causes = [cause for cause in knowledge.causes.values() if cause.family == family]
        assert causes
        assert {f"{cause.id} {cause.title}" for cause in causes} <= set(texts)


def test_mkdocs_builds_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    page = (tmp_path / "causes" / "index.html").read_text(encoding="utf-8")
    assert all(f"<td>{cause}</td>" in page for cause in Knowledge.load().causes)
    assert (tmp_path / "images" / "causes-cpu.svg").exists()
