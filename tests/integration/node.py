"""Checks in Node: the front end of the real Flux compiler, of InfluxData's language server, and Grafana's types."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["HOW_TO_GET_IT", "Checked", "check_flux", "complaints", "found"]

FOLDER = Path(__file__).parents[2] / ".ci" / "node"
HOW_TO_GET_IT = (
    f"no Flux compiler: npm install --prefix {FOLDER.name} @influxdata/flux-lsp-node@0.8.40 in {FOLDER.parent}"
)
STRICT = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
SCRIPT = """
const { Flux, parse } = require("@influxdata/flux-lsp-node");
const strings = (node, found) => {
  if (node && typeof node === "object") {
    if (node.type === "StringLiteral") found.push(node.value);
    Object.values(node).forEach(child => strings(child, found));
  }
  return found;
};
const checked = query => {
  try { return { valid: new Flux(query).is_valid(), strings: strings(parse(query), []) }; }
  catch (error) { return { valid: false, strings: [], error: String(error) }; }
};
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(checked)));
"""


@dataclass(frozen=True)
class Checked:
    """What the compiler made of a query: whether its types are right, and the string literals in it."""

    valid: bool
    strings: list[str]


def found() -> bool:
    """Whether Node and its packages are there."""
    return shutil.which("node") is not None and (FOLDER / "node_modules" / "@influxdata").exists()


def check_flux(queries: Sequence[str]) -> list[Checked]:
    """Parse and type-check queries."""
    done = subprocess.run(
        ["node", "-e", SCRIPT], input=json.dumps(queries), cwd=FOLDER, capture_output=True, text=True, check=True
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return [Checked(answer["valid"], answer["strings"]) for answer in answers]


def complaints(source: str, folder: Path) -> str:
    """What the TypeScript compiler says about a file; nothing where it is right."""
    path = folder / "checked.ts"
    path.write_text(source, encoding="utf-8")
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    done = subprocess.run(
        ["node_modules/.bin/tsc", *STRICT, path.name], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
