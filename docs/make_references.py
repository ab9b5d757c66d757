"""Pages of settings, commands and terms, made from the code when MkDocs builds the docs (a hook)."""

import ast
import inspect
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brownout import settings
from brownout.cli import app

TERMS = Path(__file__).parents[1] / "src" / "brownout" / "reporting" / "assets" / "glossary.toml"


SETTINGS = """A TOML file, given as `--config`, and the environment, which wins: `BROWNOUT_FORECAST__STEPS=96` over
`steps` in `[forecast]`. An unknown key is an error that names it. `examples/brownout.toml` holds a file to start
from."""
COMMANDS = "Results go to stdout, talk to stderr. Exit code 0 = done, 1 = failed, 2 = bad usage or bad settings."
KINDS = {"dict": "table", "tuple": "list", "bool": "yes or no", "Path": "path", "int": "whole number"}


def pages() -> dict[str, str]:
    """Text of each page by its name."""
    return {"settings.md": settings_page(), "cli.md": command_page(), "glossary.md": glossary_page()}


def settings_page() -> str:
    """Every key with its default and what it does."""
    parts = [
        "# Settings",
        SETTINGS,
        *_section(settings.Settings, ""),
    ]
    return "\n\n".join(parts) + "\n"


def _section(model: type[BaseModel], prefix: str) -> Iterator[str]:
    said, rows, tables = _attribute_docs(model), [], []
    for name, field in model.model_fields.items():
        inner = _table_of(field)
        if inner is None:
            key = field.alias or name
            rows.append(f"| `{key}` | {_kind(field)} | {_default(field)} | {said.get(name, '')} |")
        else:
            tables.append((name, inner, "[[" if "tuple" in str(field.annotation) else "["))
    if prefix:
        yield f"## {prefix}"
        yield " ".join((inspect.getdoc(model) or "").split()).replace("``", "`")
    if rows:
        yield "\n".join(["| key | kind | default | what |", "|---|---|---|---|", *rows])
    for name, inner, bracket in tables:
        yield from _section(inner, f"{bracket}{name}{']' * len(bracket)}")


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table behind a field; None for a plain value."""
    found = [kind for kind in _kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return found[0] if found else None


def _kinds(annotation: Any) -> Iterator[Any]:
    arguments = getattr(annotation, "__args__", ())
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _kinds(argument)


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):  # type: ignore[attr-defined]
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split()).replace("``", "`")  # type: ignore[union-attr]
    return found


def _kind(field: FieldInfo) -> str:
    text = str(field.annotation)
    if "Literal" in text:
        return " or ".join(f"`{choice}`" for choice in dict.fromkeys(_kinds(field.annotation)) if choice is not ...)
    for name, said in KINDS.items():
        if name in text:
            return said
    if "float" in text:
        return "number"
    return "time" if "time" in text or "date" in text else "text"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else list(value) if isinstance(value, tuple) else value}`"


def command_page() -> str:
    """Every command with its options, as ``--help`` says them."""
    root = typer.main.get_command(app)
    parts = [
        "# Commands",
        COMMANDS,
    ]
    for path, command in sorted(_commands(root, "brownout")):
        usage = " ".join([path, *(_argument(parameter) for parameter in _arguments(command))])
        parts += [f"## {path}", " ".join((command.help or "").split()), f"```\n{usage} [OPTIONS]\n```"]
        rows = [_option(parameter) for parameter in command.params if parameter.param_type_name == "option"]
        if rows:
            parts.append("\n".join(["| option | default | what |", "|---|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        yield from _commands(child, f"{path} {name}")


def _arguments(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "argument"]


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name or "").upper()
    many = "…" if parameter.nargs == -1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    default = parameter.default
    shown = "required" if parameter.required else "–" if default in (None, False, "", ()) else f"`{default}`"
    return f"| {names} | {shown} | {' '.join((parameter.help or '').split())} |".replace(" |  |", " | |")


def glossary_page() -> str:
    """The terms that a report explains."""
    terms = tomllib.loads(TERMS.read_text(encoding="utf-8"))["terms"]
    known = sorted((term["name"], " ".join(term["meaning"].split())) for term in terms)
    rows = [f"| {name} | {meaning} |" for name, meaning in sorted(known, key=lambda pair: pair[0].lower())]
    return "\n\n".join(["# Glossary", "\n".join(["| term | meaning |", "|---|---|", *rows])]) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that MkDocs found in docs/."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
