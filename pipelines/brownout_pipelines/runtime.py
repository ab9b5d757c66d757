"""Prefect without a server of one's own: quiet, patient, and gone when the work is done."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["prefect_environment"]

DEFAULTS = {
    # A cold machine takes longer than the 20 s that the temporary server is given.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    # Times out of a busy machine's server would be retried without end by its own client.
    "PREFECT_API_REQUEST_TIMEOUT": "120",
}


@contextmanager
def prefect_environment(*, state: Path | None) -> Iterator[None]:
    """Settings for what imports Prefect inside; values in the environment win.

    ``state`` is where the temporary server keeps its database, None for where Prefect always keeps it. Must be entered
    before the first import of Prefect. The temporary server, where one was started, is stopped at the end.
    """
    for key, value in DEFAULTS.items():
        os.environ.setdefault(key, value)
    if state is not None:
        os.environ["PREFECT_HOME"] = str(state.resolve())
    try:
        yield
    finally:
        _stop_server()


def _stop_server() -> None:
    module = sys.modules.get("prefect.server.api.server")
    if module is None:
        return
    # What is still on its way to the server must arrive before it goes, else each line becomes a traceback.
    sys.modules["prefect.logging.handlers"].APILogHandler().flush()
    for server in list(module.SubprocessASGIServer._instances.values()):  # noqa: SLF001 - Prefect has no public way
        server.stop()
