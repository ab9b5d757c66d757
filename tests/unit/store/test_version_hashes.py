"""Hashes of versions: those of what is installed, however its metadata are read."""

import hashlib
from importlib.metadata import distributions

from brownout.store.version_hashes import environment_hash


def test_the_environment_is_hashed_by_what_the_metadata_say() -> None:
    installed = {f"{dist.metadata['Name'].lower()}=={dist.version}" for dist in distributions()}
    assert len(installed) > 20
    assert environment_hash() == hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()[:16]
