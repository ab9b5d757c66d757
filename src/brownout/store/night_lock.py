"""One night at a time in an output folder: the second one says who works there."""

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import numpy as np

from brownout.domain.errors import LockedError
from brownout.store.plain_json import read_json

__all__ = ["LOCK_FILE", "WATCH", "Holder", "lock_holder", "night_lock"]

LOCK_FILE = "night.lock"
WATCH = "brownout watch"
"""What holds a folder for a short time only, again and again: others wait for the end of its pass."""
PAUSE_S = 1.0
HELD: ContextVar[frozenset[Path]] = ContextVar("HELD", default=frozenset())
"""Folders that the running call holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that works in an output folder; ``since`` is a time in UTC."""

    pid: int
    host: str
    since: str
    command: str


@contextmanager
def night_lock(out: Path, *, command: str, now: np.datetime64, patience_s: float = 0.0) -> Iterator[None]:
    """Hold an output folder for one run; raises LockedError, naming the holder, where another run has it.

    A pass of watch is waited for, ``patience_s`` at most; any other run is not.
    The lock belongs to the process: the system lets go of it when the process ends, however it ends. The file stays,
    empty while nobody holds it. What is called inside may ask for the same folder again; another thread may not.
    """
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() in HELD.get():
        yield
        return
    handle = os.open(out / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _lock(handle, out, patience_s)
        holder = Holder(
            pid=os.getpid(), host=socket.gethostname(), since=str(now.astype("datetime64[s]")), command=command
        )
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)
        token = HELD.set(HELD.get() | {out.resolve()})
        try:
            yield
        finally:
            HELD.reset(token)
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _lock(handle: int, out: Path, patience_s: float) -> None:
    for left in range(int(patience_s / PAUSE_S), -1, -1):
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise
            holder = lock_holder(out)
            if not left or (holder is not None and holder.command != WATCH):
                raise _locked(out) from None
        else:
            return
        time.sleep(PAUSE_S)


def lock_holder(out: Path) -> Holder | None:
    """Who wrote itself into the lock's file last; None where nobody did or the file says nothing.

    What a killed process wrote stays: only an attempt to lock tells whether it still holds.
    """
    try:
        return Holder(**read_json(out / LOCK_FILE))
    except (OSError, ValueError, TypeError):
        return None


def _locked(out: Path) -> LockedError:
    holder = lock_holder(out)
    if holder is None:
        who, remedy = "another run", "Wait until it is done, or give this run an --out of its own."
    else:
        who = f"`{holder.command}`, process {holder.pid} on {holder.host}, since {holder.since} UTC"
        remedy = f"Wait until it is done, stop process {holder.pid}, or give this run an --out of its own."
    return LockedError(f"{out} is in use by {who}.", remedy=remedy)
