"""A real PostgreSQL on a free port of 127.0.0.1, in a folder of its own, stopped with what uses it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import free_port

__all__ = ["BIN", "database"]

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: float(path.parent.name))
"""Where Debian's package has the server; None where it is not installed."""


@contextmanager
def database(name: str, password: str) -> Iterator[str]:
    """A database and a role of that name, made as the docs say; gives ``NAME:PASSWORD@ADDRESS:PORT/NAME``."""
    assert BIN is not None
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    port = free_port()

    def run(program: str, *arguments: str) -> None:
        command = [*as_postgres, BIN / program, *arguments]
        subprocess.run(command, cwd="/", check=True, capture_output=True, timeout=120)

    if as_postgres:
        shutil.chown(folder, "postgres", "postgres")
    data, place = str(folder / "data"), f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run("initdb", "-D", data, "--auth-host=scram-sha-256", "--auth-local=trust", "--no-sync")
        run("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", place)
        try:
            local = ("-h", str(folder), "-p", str(port))
            run("psql", *local, "-c", f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
            run("psql", *local, "-c", f"CREATE DATABASE {name} OWNER {name}")
            yield f"{name}:{password}@127.0.0.1:{port}/{name}"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
