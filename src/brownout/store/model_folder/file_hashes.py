"""Hashes of all files of a model's folder, so that a changed or missing file is found before it is used."""

import hashlib
import json
from pathlib import Path

from brownout.domain.errors import ModelError
from brownout.store.atomic import write_text
from brownout.store.plain_json import json_value, read_bytes

__all__ = ["HASHES", "check_hashes", "write_hashes"]

HASHES = "hashes.json"
REMEDY = "Do not use this model: train again, or fetch it again from where it was reviewed."


def write_hashes(folder: Path) -> str:
    """Write the SHA-256 of each file of a folder into ``hashes.json``; returns the SHA-256 of that list."""
    table = {name: _digest(folder / name) for name in _names(folder)}
    text = json.dumps(table, indent=1)
    write_text(folder / HASHES, text)
    return hashlib.sha256(text.encode()).hexdigest()


def check_hashes(folder: Path, expected: str = "") -> None:
    """Raise ModelError where a file of a folder is not the one that was listed, is missing or was added.

    ``expected`` is the SHA-256 of the list, as something else than the folder remembers it; "" where nothing does.
    """
    path = folder / HASHES
    try:
        text = read_bytes(path)
        table: dict[str, str] = dict(json_value(text))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", remedy=REMEDY) from error
    if expected and hashlib.sha256(text).hexdigest() != expected:
        raise ModelError(f"{path} is not the list that was logged with the model.", remedy=REMEDY)
    present = _names(folder)
    for name in sorted({*present, *table}):
        if name not in present or name not in table:
            what = "is missing" if name in table else "was not logged with the model"
            raise ModelError(f"{folder / name} {what}.", remedy=REMEDY)
        if _digest(folder / name) != table[name]:
            raise ModelError(f"{folder / name} was changed: its SHA-256 is not that of the list.", remedy=REMEDY)


def _names(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path != folder / HASHES)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
