"""A copy of the history on object storage, or wherever fsspec reaches, that the workers of a cluster read."""

import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.spec import AbstractFileSystem

from brownout.domain.errors import HistoryError
from brownout.domain.ports import Span
from brownout.store.dataset import read_samples
from brownout.store.history import DescribedStore, Description, History, samples_schema
from brownout.store.row_groups import Layout, chosen_groups

__all__ = ["ObjectHistory", "copy_history"]

SAMPLES, SUFFIX = "samples", ".parquet"
TAIL = 8
"""Bytes after the footer of a Parquet file: its length, and PAR1."""


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A file of the copy: its path in the storage, its size, and the CRC-32 of its footer as it was copied."""

    path: str
    size: int
    footer: int


@dataclass(frozen=True, kw_only=True)
class ObjectHistory(DescribedStore):
    """The copy of a history as it was made. A sample store.

    What it holds, and when each entity was measured, travels with it: a worker asks the storage for the footers of
    files and for the row groups of its own entities alone. Keys come from the environment of each machine.
    """

    url: str
    description: Description
    files: tuple[ObjectFile, ...]
    measured: Mapping[str, Span]

    def spans(self) -> Mapping[str, Span]:
        """When each entity was measured."""
        return self.measured

    def read(
        self, entities: Sequence[str], *, start: np.datetime64 | None = None, end: np.datetime64 | None = None
    ) -> pa.Table:
        """Samples of the entities from start until before end; raises HistoryError where the copy is another one."""
        system, _ = fsspec.core.url_to_fs(self.url)
        files = [(file.path, _layout(self.url, file)) for file in self.files]
        through = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(system))
        return read_samples(
            chosen_groups(files, entities, samples_schema(self.metrics), through), entities, start=start, end=end
        )


def copy_history(history: History, url: str) -> ObjectHistory:
    """Copy what is new in a history to a folder of any storage of fsspec, take away what is gone, and describe it.

    A file that is there with the same size and footer is left: its footer holds the checksums of all that it contains.
    Raises HistoryError where the storage cannot be reached or refuses.
    """
    spans = history.spans()
    sound = [path for path in history.files if path not in history.damaged]
    try:
        system, root = fsspec.core.url_to_fs(url)
        folder = f"{root}/{SAMPLES}"
        system.makedirs(folder, exist_ok=True)
        system.invalidate_cache()
        there = {name: int(entry["size"]) for name, entry in system.find(folder, detail=True).items()}
        files = tuple(_copied(system, path, f"{folder}/{path.name}", there) for path in sound)
        for name in set(there) - {file.path for file in files}:
            if name.endswith(SUFFIX):  # nothing that somebody else put there
                system.rm_file(name)
    except _storage_errors() as error:
        msg = f"The history cannot be copied to {url}: {type(error).__name__} {error}."
        remedy = "Check `cluster.history`, that `brownout[cluster]` is installed, and the keys in the environment."
        raise HistoryError(msg, remedy=remedy) from error
    return ObjectHistory(url=url, description=history.description, files=files, measured=spans)


def _storage_errors() -> tuple[type[Exception], ...]:
    """What fsspec raises where a storage is away: Amazon's client has errors of its own."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError, ImportError, ValueError, *(() if botocore is None else (botocore.BotoCoreError,)))


def _copied(system: AbstractFileSystem, path: Path, target: str, there: Mapping[str, int]) -> ObjectFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(size - TAIL)
        footer = int.from_bytes(file.read(4), "little")
        file.seek(size - TAIL - footer)
        crc = zlib.crc32(file.read())
    if there.get(target) != size or zlib.crc32(system.cat_file(target, start=size - TAIL - footer, end=size)) != crc:
        system.put_file(str(path), target)
    return ObjectFile(target, size, crc)


@lru_cache(maxsize=4096)
def _layout(url: str, file: ObjectFile) -> Layout:
    """The row groups of a file of the copy."""
    system, _ = fsspec.core.url_to_fs(url)
    try:
        tail = system.cat_file(file.path, start=file.size - TAIL, end=file.size)
        start = file.size - TAIL - int.from_bytes(tail[:4], "little")
        footer = system.cat_file(file.path, start=start, end=file.size)
        if zlib.crc32(footer) != file.footer:
            msg = f"{file.path} is not the file that was copied there."
            raise HistoryError(msg, remedy="Give each output folder a `cluster.history` of its own; run again.")
        return Layout.of(pq.read_metadata(pa.BufferReader(b"PAR1" + footer)))
    except (pa.ArrowException, *_storage_errors()) as error:
        msg = f"{file.path} cannot be read: {type(error).__name__} {error}."
        raise HistoryError(msg, remedy="Check the storage and the keys in the environment of the workers.") from error
