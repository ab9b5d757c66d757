"""Ledgers: files of lines that several processes add to, replaced as a whole."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path

from brownout.store.atomic import write_text

__all__ = ["append_lines", "ledger_alone"]


@contextmanager
def ledger_alone(path: Path) -> Iterator[None]:
    """Wait until no other process adds to the ledger: each reads it, adds and replaces it as a whole.

    The lock lies in a file beside it, since the ledger itself is replaced. The system lets go of it when its holder
    ends, however that ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("ab") as lock:
        with suppress(OSError):  # a file system without locks
            flock(lock, LOCK_EX)
        yield


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines; the file is replaced as a whole, so that a kill leaves either the old or the new one."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + "".join(f"{line}\n" for line in lines))
