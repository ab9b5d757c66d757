"""The wheel: what it carries, what it needs, and that it runs away from any clone."""

import ast
import json
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

from conftest import ROOT, Ran
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = {"brownout", "brownout_pipelines"}
OPTIONAL = {"dask", "distributed", "fsspec", "matplotlib", "mcp"}
"""Of an extra: plots and clusters say so where it is not installed."""


def test_the_wheel_carries_definitions_flows_templates_and_the_lock(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for name in (
        "brownout/definitions/catalogue.toml",
        "brownout/definitions/knowledge/causes.toml",
        "brownout_pipelines/nightly.py",
        "brownout/reporting/assets/page/page.html.j2",
        "brownout/reporting/assets/uPlot.iife.min.js",
        "brownout/constraints.txt",
        "brownout/py.typed",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests", "docs", "notebooks"))]


def test_whatever_the_product_imports_is_a_dependency_of_the_wheel(wheel: Path) -> None:
    """An import that only the tests' own packages satisfy would fail at the user's."""
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
        modules = {
            name
            for path in archive.namelist()
            if path.endswith(".py")
            for name in imported(archive.read(path).decode())
        }
    needed = {Requirement(line.removeprefix("Requires-Dist: ")) for line in lines if line.startswith("Requires-Dist: ")}
    declared = {canonicalize_name(item.name) for item in needed if "extra" not in str(item.marker or "")}
    providers = packages_distributions()
    optional = {
        canonicalize_name(item.name)
        for extra in ("notebook", "cluster", "mcp")
        for item in needed
        if f'extra == "{extra}"' in str(item.marker)
    }
    assert optional >= OPTIONAL
    third_party = modules - OURS - set(sys.stdlib_module_names) - OPTIONAL
    assert {"torch", "prefect", "mlflow", "numpy"} <= third_party
    assert "pytest" not in declared
    missing = {name for name in third_party if not {canonicalize_name(found) for found in providers[name]} & declared}
    assert missing == set()


def imported(text: str) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_installed_from_the_wheel_the_demo_runs_from_another_folder(installed: Path, demo: Ran) -> None:
    assert ROOT not in installed.parents
    assert json.loads((demo.out / "report" / "report.json").read_text())["incidents"]
