"""MLflow's sqlite file below ``--out``: made whole or not at all, mended where a kill or a move broke it."""

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path
from urllib.parse import quote

from brownout.adapters.mlflow_errors import import_mlflow
from brownout.domain.errors import TrackingError
from brownout.store.atomic import PART, sync_folder

__all__ = ["is_whole", "new_store", "prepare_store", "sqlite_uri", "workshop"]

DAMAGE = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_NOTADB})
"""Codes that speak of the file's content; others (locked, read-only, disk full) of the system around it."""
JOURNALS = ("-journal", "-wal", "-shm")
ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Where MLflow 3 keeps addresses of artifacts."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a store, the revisions of its schema that it names, and how many runs it has."""

    tables: frozenset[str]
    revisions: tuple[str, ...]
    runs: int


def sqlite_uri(path: Path) -> str:
    """The address of a sqlite file; a path with characters that mean something in an address is a quoted ``file:`` URI.

    MLflow makes folders of the shorter form without unquoting it, and SQLAlchemy 2.0 unquotes no path: sqlite does.
    """
    absolute = str(path.resolve())
    quoted = quote(absolute, safe="/")
    return f"sqlite:///{absolute}" if quoted == absolute else f"sqlite+pysqlite:///file:{quoted}?uri=true"


def prepare_store(database: Path, artifacts: Path) -> tuple[str, ...]:
    """Make the store ready: made, upgraded or made anew where a kill left half of it; returns notes for the operator.

    Every change of the schema is done on a copy that is renamed into place, so that a kill leaves the old or the new
    store. A store that cannot be used is kept beside as ``mlflow.db.broken-N``. Addresses of artifacts follow a folder
    that was moved or copied. Raises TrackingError where a newer MLflow made the store.
    """
    import_mlflow()
    notes: list[str] = []
    if not is_whole(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        with _alone(database.parent):
            if not _has_content(database):
                with new_store(database, artifacts) as fresh:
                    _install(fresh, database)
            elif not is_whole(database):
                notes.append(_mend(database, artifacts))
    return (*notes, *_follow_move(database, artifacts))


def _has_content(database: Path) -> bool:
    return database.exists() and database.stat().st_size > 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another process that makes or mends the store of the same folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a network file system may know no locks; the night's own lock is enough there
            flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_whole(database: Path) -> bool:
    """Whether a file is a store of the installed MLflow's schema, complete."""
    if not _has_content(database):
        return False
    schema = _schema(database)
    return schema is not None and _is_current(schema)


def _is_current(schema: Schema) -> bool:
    from mlflow.store.db.base_sql_model import Base

    return schema.tables.issuperset(Base.metadata.tables) and schema.revisions == (_newest_revision(),)


@cache
def _newest_revision() -> str:
    """The newest schema of the installed MLflow, which reads a folder of sixty scripts to say so."""
    from mlflow.store.db.utils import _get_latest_schema_revision  # MLflow has no public way to ask

    revision: str = _get_latest_schema_revision()
    return revision


def _schema(database: Path) -> Schema | None:
    """The schema of a store file; None where it is damaged. Raises TrackingError where it cannot be read."""
    try:
        with closing(_connect(database)) as connection:
            if connection.execute("pragma quick_check").fetchone() != ("ok",):
                return None
            tables = frozenset(
                row[0] for row in connection.execute("select name from sqlite_master where type='table'")
            )
            versions = "select version_num from alembic_version" if "alembic_version" in tables else "select 1 where 0"
            revisions = tuple(str(row[0]) for row in connection.execute(versions))
            runs = connection.execute("select count(*) from runs").fetchone()[0] if "runs" in tables else 0
            return Schema(tables, revisions, runs)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in DAMAGE:
            return None
        msg = f"{database} cannot be read: {error}."
        remedy = "Check its permissions, the free space, and whether another program holds it."
        raise TrackingError(msg, remedy=remedy, transient="locked" in str(error)) from error


def _connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True, timeout=20)


def _mend(database: Path, artifacts: Path) -> str:
    """Upgrade a store that is not of this MLflow's schema, or put a new one in its place; returns what was done."""
    schema = _schema(database)
    if schema is not None and schema.runs and set(schema.revisions) - _known_revisions():
        msg = f"{database} was written by another MLflow (schema {', '.join(schema.revisions)})."
        raise TrackingError(msg, remedy="Install that MLflow again, or move the file away: a new one is made then.")
    if schema is not None:
        with _upgraded_copy(database) as upgraded:
            if upgraded is not None:
                backup = _install(upgraded, database, keep_old=True)
                return f"{database.name} had an older or half-made schema and was completed; the old file is {backup}."
    with new_store(database, artifacts) as fresh:
        backup = _install(fresh, database, keep_old=True)
    return (
        f"{database.name} could not be used (damaged, or half made when a run was killed): made anew, kept as {backup}."
    )


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    return {script.revision for script in ScriptDirectory.from_config(_get_alembic_config("")).walk_revisions()}


@contextmanager
def new_store(database: Path, artifacts: Path) -> Iterator[Path]:
    """A new store in a folder of its own."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with workshop(database) as fresh:
        store = SqlAlchemyStore(sqlite_uri(fresh), artifacts.resolve().as_uri())
        store.engine.dispose()
        yield fresh


@contextmanager
def _upgraded_copy(database: Path) -> Iterator[Path | None]:
    """A copy of a store with the newest schema; None where its schema cannot be completed."""
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
    from sqlalchemy.exc import SQLAlchemyError

    with workshop(database) as copy:
        with closing(_connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        engine = create_sqlalchemy_engine(sqlite_uri(copy))
        try:
            _initialize_tables(engine)
        except (MlflowException, SQLAlchemyError, CommandError):
            usable = False
        else:
            usable = True
        finally:
            engine.dispose()
        yield copy if usable and is_whole(copy) else None


@contextmanager
def workshop(database: Path) -> Iterator[Path]:
    """A place for a database beside the one it will replace; a killed run's is removed by ``remove_leftovers``."""
    folder = database.parent / f".{database.name}.{secrets.token_hex(4)}{PART}"
    folder.mkdir()
    try:
        yield folder / database.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(fresh: Path, database: Path, *, keep_old: bool = False) -> str:
    """Put a finished file in its place, atomically; returns the name under which the old one is kept.

    A journal belongs to the file that it was written for, and goes aside before a new file takes that name.
    """
    aside = _free_name(database)
    for suffix in JOURNALS:
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(f"{aside}{suffix}")
    if keep_old:
        _link(database, aside)
    fresh.replace(database)
    sync_folder(database.parent)
    return aside.name


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the file system has no such names."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}:
            raise
        shutil.copyfile(source, target.with_name(f"{target.name}{PART}"))
        target.with_name(f"{target.name}{PART}").rename(target)


def _free_name(database: Path) -> Path:
    names = (database.with_name(f"{database.name}.broken-{number}") for number in range(1, 1_000_000))
    return next(path for path in names if not any(Path(f"{path}{end}").exists() for end in ("", *JOURNALS)))


def _follow_move(database: Path, artifacts: Path) -> tuple[str, ...]:
    """Point addresses of artifacts to where the folder is now; the schema must be current."""
    here = artifacts.resolve().as_uri()
    with closing(_connect(database)) as connection, connection:
        locations = [str(row[0]) for row in connection.execute("select artifact_location from experiments")]
        old = {location for uri in locations if (location := _root(uri, artifacts.name)) not in {None, here}}
        for location in old:
            for table, column in ((table, column) for table, columns in ADDRESSES.items() for column in columns):
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608 - names from above
                    f"where {column} = ? or substr({column}, 1, ?) = ?",
                    (here, len(location) + 1, location, len(location) + 1, f"{location}/"),
                )
    return tuple(
        f"The output folder was moved or copied: addresses below {location} now lie below {here}." for location in old
    )


def _root(uri: str, name: str) -> str | None:
    """The part of an address that ends in a folder's name."""
    if not uri.startswith("file://") or f"/{name}" not in uri:
        return None
    root, separator, rest = uri.rpartition(f"/{name}")
    return f"{root}{separator}" if not rest or rest.startswith("/") else None
