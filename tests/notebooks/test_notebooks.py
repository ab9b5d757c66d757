"""Notebooks run on the demo's data, and are stored without outputs."""

from pathlib import Path

import nbformat
import pytest
from conftest import Ran
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


SAID = {
    "capacity-next-quarter": ("trends have a sure direction", "if it goes on: "),
    "judge-on-your-own-labels": ("found ", "have no truth"),
    "load-and-latency-of-a-guest": ("ms now", "closest: "),
    "review-a-challenger": (
        "in use beside seasonal-naive: 0.",
        "0 of 0 criteria of models that wait failed",
        "all metrics together: CRPS 0.",
        "brownout-forecaster-",
    ),
    "which-forecaster-to-trust": ("all metrics together: CRPS 0.", "bands hold between"),
    "why-did-this-console-lag": ("present", "confirm:"),
    "will-it-breach-and-how-sure": ("may be crossed within the horizon", "the band of 80 % held"),
    "your-own-rule-and-cause": ("raised ", "that the night told", "causes.toml, rules.toml, symptoms.toml can be used"),
}
"""What each notebook says on the demo, in words that only its answer has."""


def test_each_notebook_has_its_question() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SAID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_on_the_demo_and_answers_its_question(path: Path, demo: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWNOUT_OUT", str(demo.out))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    text = "\n".join(str(output.get("text", "")) for cell in notebook.cells for output in cell.get("outputs", []))
    for words in SAID[path.stem]:
        assert words in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_uses_the_public_names_only(path: Path) -> None:
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    assert "import brownout\n" in source
    assert "from brownout" not in source
    assert "brownout." in source.replace("import brownout.", "")
