"""Hashes of the versions that a training ran with."""

import hashlib
from functools import cache
from importlib.metadata import Distribution, distributions

from brownout.domain.definitions import lock_file

__all__ = ["environment_hash", "lock_hash"]


def lock_hash() -> str:
    """First 16 hex digits of the SHA-256 of ``constraints.txt``, the versions that this brownout was tested with."""
    return hashlib.sha256(lock_file().read_bytes()).hexdigest()[:16]


@cache
def environment_hash() -> str:
    """The same over name==version of every distribution that is really installed; read once a process."""
    installed = {_name_and_version(dist) for dist in distributions()}
    return hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()[:16]


def _name_and_version(dist: Distribution) -> str:
    """Name and version as the head of the metadata has them: without the rest, a tenth of the time."""
    head = (dist.read_text("METADATA") or dist.read_text("PKG-INFO") or "").partition("\n\n")[0]
    lines = [line for line in head.splitlines() if line.startswith(("Name: ", "Version: "))]
    fields = dict(line.split(": ", 1) for line in reversed(lines))  # the first of each counts
    return f"{fields['Name'].strip().lower()}=={fields['Version'].strip()}"
