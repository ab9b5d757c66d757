"""Hashes of the versions that a training ran with."""

import hashlib
from functools import cache
from importlib.metadata import distributions

from brownout.domain.definitions import lock_file

__all__ = ["environment_hash", "lock_hash"]


def lock_hash() -> str:
    """First 16 hex digits of the SHA-256 of ``constraints.txt``, the versions that this brownout was tested with."""
    return hashlib.sha256(lock_file().read_bytes()).hexdigest()[:16]


@cache
def environment_hash() -> str:
    """The same over name==version of every distribution that is really installed; read once a process."""
    heads = (dist.metadata for dist in distributions())  # parsed anew each time that it is asked for
    installed = {f"{head['Name'].lower()}=={head['Version']}" for head in heads}
    return hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()[:16]
