"""The page of causes is what the knowledge says today."""

import importlib.util
from pathlib import Path

from brownout.diagnosis.knowledge.knowledge_base import Knowledge

DOCS = Path(__file__).parents[2] / "docs"


def test_the_drawn_knowledge_is_the_knowledge() -> None:
    spec = importlib.util.spec_from_file_location("make_causes", DOCS / "make_causes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages = module.pages(Knowledge.load())
    assert "causes.md" in pages
    assert len(pages) > 5
    for path, text in pages.items():
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"{path} is old: run python docs/make_causes.py"
