"""What killed processes left in an output folder goes at the start of the next run."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from brownout.store.atomic import PART
from brownout.store.folders import NEW, OLD, finish_replacement

__all__ = ["remove_leftovers", "remove_parts"]

OURS = ("history", "models", "report", "archive")
"""Folders below ``--out`` that hold nothing but what brownout wrote."""
PART_NAME = re.compile(r"\..+\.[a-z0-9_]{8}\.part")
YOUNGEST_S = 2.0
"""Age from which an unlocked part counts as left: its writer locks it right after making it."""


def remove_leftovers(out: Path) -> tuple[Path, ...]:
    """Finish half-made replacements and remove the parts of dead writers; returns the paths of what was left.

    Call it while ``night_lock`` is held. A file that another process still writes (``brownout sync``) is locked by it
    and stays. The output folder may hold the user's own files: directly in it only parts of brownout's naming go.
    """
    left = [path for path in _unfinished(out / "models") if finish_replacement(_target(path))]
    folders = [out, *(folder for name in OURS for folder in _folders(out / name))]
    for path in (path for folder in folders for path in _parts(folder)):
        if path.is_dir():
            shutil.rmtree(path)
            left.append(path)
        elif _abandoned(path):
            path.unlink(missing_ok=True)
            left.append(path)
    return tuple(sorted(left))


def remove_parts(folders: Iterable[Path]) -> None:
    """Remove the parts of dead writers in some folders of which the caller is the only writer."""
    for path in (path for folder in folders for path in _parts(folder)):
        if not path.is_dir() and _abandoned(path, youngest_s=0):
            path.unlink(missing_ok=True)


def _unfinished(models: Path) -> list[Path]:
    """Folders on their way in or out; one for each model."""
    paths = (path for suffix in (PART, NEW, OLD) for path in models.glob(f".*{suffix}") if path.is_dir())
    return list({_target(path): path for path in paths if not PART_NAME.fullmatch(path.name)}.values())


def _target(path: Path) -> Path:
    return path.with_name(path.stem.removeprefix("."))


def _folders(root: Path) -> list[Path]:
    return [Path(folder) for folder, _, _ in os.walk(root)]


def _parts(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if PART_NAME.fullmatch(path.name))


def _abandoned(path: Path, youngest_s: float = YOUNGEST_S) -> bool:
    with suppress(OSError), path.open("rb") as file:
        if time.time() - os.fstat(file.fileno()).st_mtime < youngest_s:
            return False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
