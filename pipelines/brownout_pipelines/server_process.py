"""The process of a temporary Prefect server: it ends with the process that started it, however that one ends.

Usage: python -m brownout_pipelines.server_process FD. Its standard input is a pipe whose other end the parent holds and
never writes to: the end of the pipe is the end of the parent.
"""

import os
import signal
import socket
import sys
import threading
import time

import uvicorn

__all__ = ["main"]

GRACE_S = 5.0
"""Time to answer what is under way once the parent is gone."""


def main(handle: int) -> None:
    """Serve Prefect's API on a socket that is bound already."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on", access_log=False
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=handle)])
    sys.stdout.flush()
    os._exit(0 if server.started else 1)  # threads of a database that could not be opened would keep it for ever


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
