"""All English texts that a report can show, for the test that every language has them."""

import ast
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, nodes

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import NAMED_KINDS
from brownout.domain.findings import UNKNOWN, Risk
from brownout.domain.metrics import Catalogue, Family
from brownout.domain.repairs import Repair
from brownout.domain.verdicts import Said
from brownout.planning.remedies import ROLE_TITLES, Remedies
from brownout.reporting.page_data import SCRIPT_WORDS

__all__ = ["knowledge_texts", "page_texts", "statements"]

REPORTING = Path(str(files("brownout.reporting")))


def page_texts() -> set[str]:
    """Texts of templates, script and Python code."""
    return {*_of_templates(), *_of_code(), *SCRIPT_WORDS, *NAMED_KINDS, *Family, *Said, "entity"}


def knowledge_texts() -> set[str]:
    """Titles of metrics and causes, remedies in words, risks and repairs."""
    remedies = Remedies.load()
    texts = {metric.label for metric in Catalogue.load().metrics.values()} | {repair.value for repair in Repair}
    texts |= {cause.title for cause in Knowledge.load().causes.values()} | {risk.value for risk in Risk}
    texts |= set(ROLE_TITLES.values())
    for remedy in remedies.table.values():
        texts |= {remedy.title, remedy.by_hand}
    for variants in remedies.operations.table.values():
        texts |= {operation.note for operation in variants.values()}
    return (texts | {unknown.meaning for unknown in remedies.operations.unknowns.values()} | {"Unknown"}) - {
        "",
        UNKNOWN,
    }


def statements() -> set[str]:
    """What symptoms say, with their placeholders."""
    return {symptom.says for symptom in Knowledge.load().symptoms.values()}


def _of_templates() -> Iterator[str]:
    environment = Environment(autoescape=True)
    for path in (REPORTING / "assets").rglob("*.j2"):
        for call in environment.parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            plural = isinstance(call.node, nodes.Getattr) and call.node.attr == "plural"
            named = call.node.node if plural and isinstance(call.node, nodes.Getattr) else call.node
            if isinstance(named, nodes.Name) and named.name == "_":
                for argument in call.args[: 2 if plural else 1]:
                    if isinstance(argument, nodes.Const):
                        yield argument.value


def _of_code() -> Iterator[str]:
    """First texts of calls of ``say``, and of names that hold them."""
    for path in REPORTING.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_say(node.func)]
        names = {argument.id for call in called for argument in call.args if isinstance(argument, ast.Name)}
        yield from (a.value for c in called for a in c.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                yield from _assigned(node, names)


def _is_say(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "plural"
    return isinstance(function, ast.Name) and function.id == "say"


def _assigned(node: ast.Assign, names: set[str]) -> Iterator[str]:
    """Texts assigned to some names, one or two at a time."""
    (target,) = node.targets
    pairs = (
        zip(target.elts, node.value.elts, strict=True)
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
        else [(target, node.value)]
    )
    for name, value in pairs:
        if isinstance(name, ast.Name) and name.id in names and isinstance(value, ast.Constant):
            yield str(value.value)
