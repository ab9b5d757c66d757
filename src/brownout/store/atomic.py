"""Files that are either whole or not there."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["PART", "atomic_path", "sync_folder", "write_text"]

PART = ".part"
"""Suffix of what is being written; the name starts with a dot."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside the target that takes its place, flushed to disk, when the block ends well.

    The temporary file is removed when the block raises. Its writer holds a lock on it: a ``.part`` file without a lock
    was left by a killed process, and ``remove_leftovers`` takes it away. Permissions follow the umask.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}{PART}"
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with suppress(OSError):  # a file system without locks: what a killed process leaves there stays
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield part
        with part.open("rb") as file:  # the block may have put another file in its place
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            part.unlink()


def write_text(target: Path, text: str) -> None:
    """Replace the target's content by a text, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems have nothing to flush
            os.fsync(handle)
    finally:
        os.close(handle)
