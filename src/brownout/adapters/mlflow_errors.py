"""What MLflow and the libraries below it raise, as one error of brownout's own."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from brownout.domain.errors import TrackingError
from brownout.loopback import bypass_proxy_for_loopback

__all__ = ["import_mlflow", "tracking_errors"]

DEFAULTS = {
    # Fleet telemetry is nobody's business but the operator's.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that is away costs the end of a night half a minute, not MLflow's four.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    # Requirements are what brownout states, not what a uv project says that lies where the command was called.
    "MLFLOW_UV_AUTO_DETECT": "false",
}
MODULES = (
    "mlflow",
    "mlflow.artifacts",
    "mlflow.models.signature",
    "mlflow.pyfunc",
    "mlflow.store.artifact.local_artifact_repo",
    "mlflow.store.db.utils",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "alembic.command",
)
"""What MLflow's client would import in the middle of a call."""
LOG_LEVELS = {
    "alembic": logging.WARNING,  # a line for each of sixty migrations
    "mlflow.pyfunc": logging.WARNING,  # that it compares an example with its signature
    "mlflow.store.db.utils": logging.CRITICAL,  # tracebacks of what it raises as well
}
BUSY_CODES = frozenset({"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"})
REMEDY = "Check [tracking] in the settings, and that its server runs or its file can be written to."


def import_mlflow() -> None:
    """Import all of MLflow that a night uses, once, on the thread that calls.

    MLflow reads its switches when it is imported; values in the environment win. Call it before any thread starts:
    MLflow, pandas and torch parse source text while they are imported, and Python 3.11 before 3.11.8 dies with
    "AST constructor recursion depth mismatch" where two threads parse at once (python/cpython #106905).
    """
    for key, value in DEFAULTS.items():
        os.environ.setdefault(key, value)
    bypass_proxy_for_loopback(os.environ)
    for name in MODULES:
        import_module(name)
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def tracking_errors(doing: str, where: str) -> Iterator[None]:
    """Turn errors of MLflow, of the libraries below it and of the system into a TrackingError naming what was tried."""
    import_mlflow()
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, sqlite3.Error, OSError) as error:
        problem = " ".join(str(error).split())[:500].rstrip(".")
        msg = f"MLflow in {where}, {doing}: {problem}."
        raise TrackingError(msg, remedy=REMEDY, transient=_passes(error)) from error


def _passes(error: Exception) -> bool:
    busy = getattr(error, "error_code", None) in BUSY_CODES or isinstance(error, ConnectionError | TimeoutError)
    return busy or "database is locked" in str(error)
