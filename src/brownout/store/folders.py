"""Folders that are replaced whole: a reader finds the old files or the new ones, never some of each."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brownout.store.atomic import PART, sync_folder

__all__ = ["NEW", "OLD", "finish_replacement", "move_into_place", "replaced_folder"]

NEW = ".new"
OLD = ".old"
"""Suffixes of the whole new folder before, and of the old one after, it was renamed."""


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside the target that takes its place, flushed to disk, when the block ends well.

    Its names tell how far a killed process came: ``.NAME.part`` is being written, ``.NAME.new`` is whole, ``.NAME.old``
    is what the target was. ``finish_replacement`` goes on from there; it must be called before the target is read by
    a later process. One writer at a time: hold ``night_lock``.
    """
    finish_replacement(target)
    part = _beside(target, PART)
    part.mkdir(parents=True)
    try:
        yield part
        _flush(part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    part.rename(_beside(target, NEW))
    sync_folder(target.parent)
    finish_replacement(target)


def finish_replacement(target: Path) -> bool:
    """Complete or undo what a killed ``replaced_folder`` left of a target; returns whether there was anything.

    A new folder that is whole takes its place, one that is not goes; repeating it changes nothing.
    """
    part, new, old = (_beside(target, suffix) for suffix in (PART, NEW, OLD))
    left = [path for path in (part, new, old) if path.is_dir()]
    _remove(part)
    if new.is_dir():
        if target.exists():
            _remove(old)
            target.rename(old)
        new.rename(target)
        sync_folder(target.parent)
    elif old.is_dir() and not target.exists():
        old.rename(target)
    _remove(old)
    return bool(left)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a whole folder to the target's place, whose old content goes; both lie in one file system.

    Killed at any moment, ``finish_replacement`` of the target completes it.
    """
    finish_replacement(target)
    source.rename(_beside(target, NEW))
    sync_folder(target.parent)
    finish_replacement(target)


def _beside(target: Path, suffix: str) -> Path:
    return target.parent / f".{target.name}{suffix}"


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


def _flush(folder: Path) -> None:
    for directory, _, names in os.walk(folder):
        for name in names:
            with (Path(directory) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(directory))
