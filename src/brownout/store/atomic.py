"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["atomic_path", "write_text"]


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside the target that takes its place, flushed to disk, when the block ends well.

    The temporary file is removed when the block raises; one that a killed process left is a hidden ``.part`` file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def write_text(target: Path, text: str) -> None:
    """Replace the target's content by a text, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")
