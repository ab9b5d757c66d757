"""Prefect around a run: the operator's server, or a temporary one, or none; the run takes place in any case."""

import logging
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from brownout.domain.errors import BrownoutError, OrchestrationError
from brownout.loopback import bypass_proxy_for_loopback
from brownout_pipelines.temporary_server import (
    DATABASE,
    OWN_DATABASE,
    ServerEndedError,
    TemporaryServer,
    crash_dead_runs,
    forget_old_runs,
    remove_database,
    temporary_server,
)

__all__ = ["PrefectRuntime", "configured_server", "prefect_environment", "run_with_prefect_or_without"]

T = TypeVar("T")

DEFAULTS = {
    # A cold machine takes longer than the 20 s that the temporary server is given.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    # Times out of a busy machine's server would be retried without end by its own client.
    "PREFECT_API_REQUEST_TIMEOUT": "120",
}
REACH_S = 10.0


@dataclass(frozen=True, slots=True)
class PrefectRuntime:
    """What became of Prefect: the address of its API, or the problem that leaves the run without it."""

    url: str = ""
    problem: OrchestrationError | None = None


@contextmanager
def prefect_environment(*, state: Path) -> Iterator[PrefectRuntime]:
    """Prefect for what is run inside; enter it before Prefect is imported. Raises nothing where Prefect is away.

    A server that the operator configured is used as it is. Else a temporary one is started, with all its state in the
    folder ``state``, and stopped at the end. Values in the environment win, but for PREFECT_HOME: a temporary server
    must not touch what lies there.
    """
    before = dict(os.environ)
    for key, value in DEFAULTS.items():
        os.environ.setdefault(key, value)
    bypass_proxy_for_loopback(os.environ)
    try:
        with ExitStack() as stack:
            try:
                url = configured_server(before, Path.cwd())
                runtime = _reached(url) if url else PrefectRuntime(url=_start(state.resolve(), stack))
            except OrchestrationError as problem:
                runtime = PrefectRuntime(problem=problem)
            stack.callback(_flush_logs)
            yield runtime
    finally:
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


def run_with_prefect_or_without(
    runtime: PrefectRuntime,
    *,
    flow: Callable[[], T],
    plain: Callable[[], T],
    tell: Callable[[OrchestrationError], None],
) -> T:
    """Run a flow; where Prefect is away, or fails on the way, tell so and run the plain function, which is the same.

    What the run itself raises is raised. Both must be safe to repeat.
    """
    problem = runtime.problem
    if problem is None:
        try:
            return flow()
        except _prefect_errors() as error:
            reason = " ".join(str(error).split())[:300].rstrip(".")
            problem = OrchestrationError(
                f"Prefect at {runtime.url} failed in the middle of the run: {type(error).__name__}: {reason}.",
                remedy="Look at its server's log; the run is repeated without Prefect.",
            )
    tell(problem)
    return plain()


def configured_server(environment: Mapping[str, str], folder: Path) -> str:
    """The address of the server that the operator configured, empty where there is none.

    Prefect looks in the environment, in ``prefect.toml`` and ``pyproject.toml`` of the working directory, and in the
    active profile.
    """
    if environment.get("PREFECT_API_URL"):
        return environment["PREFECT_API_URL"]
    for path, keys in (("prefect.toml", ("api", "url")), ("pyproject.toml", ("tool", "prefect", "api", "url"))):
        if url := _value(folder / path, *keys):
            return url
    home = Path(environment.get("PREFECT_HOME") or Path(environment.get("HOME") or "/") / ".prefect")
    profiles = Path(environment.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    profile = environment.get("PREFECT_PROFILE") or _value(profiles, "active")
    return _value(profiles, "profiles", profile, "PREFECT_API_URL")


def _value(path: Path, *keys: str) -> str:
    try:
        table: object = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, str) else ""


def _reached(url: str) -> PrefectRuntime:
    """Any answer will do: whether it lets the run in is said when the run starts."""
    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=REACH_S)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        msg = f"The Prefect server {url} cannot be reached: {error}."
        remedy = "Check PREFECT_API_URL or the profile, and any web proxy; without them a temporary server is used."
        raise OrchestrationError(msg, remedy=remedy) from error
    return PrefectRuntime(url=url)


def _start(state: Path, stack: ExitStack) -> str:
    """Start a temporary server, once more without its database where that is what stops it; returns its address."""
    os.environ["PREFECT_HOME"] = str(state)
    try:
        server = _ready(state, stack)
    except ServerEndedError:
        if not (state / DATABASE).exists():
            raise
        remove_database(state)
        server = _ready(state, stack)
    if not any(name in os.environ for name in OWN_DATABASE):
        with suppress(httpx.HTTPError):  # only the record of an earlier run is at stake
            crash_dead_runs(server.url)
            forget_old_runs(server.url)
    logging.getLogger("prefect.flow_runs").addFilter(_is_no_link)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_without_known_traceback)
    return server.url


def _ready(state: Path, stack: ExitStack) -> TemporaryServer:
    with ExitStack() as attempt:
        server = attempt.enter_context(temporary_server(state))
        os.environ["PREFECT_API_URL"] = server.url
        server.wait(float(os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"]))
        stack.push(attempt.pop_all())
    return server


def _is_no_link(record: logging.LogRecord) -> bool:
    """A temporary server has no pages to look at."""
    return not record.getMessage().startswith("View at ")


def _without_known_traceback(record: logging.LogRecord) -> bool:
    """An error that says what to do about it needs no sixty lines of where it came from."""
    if record.exc_info and isinstance(record.exc_info[1], BrownoutError):
        record.exc_info = None
    return True


def _flush_logs() -> None:
    """What is still on its way to the server must arrive before it goes, else each line becomes a traceback."""
    handlers = sys.modules.get("prefect.logging.handlers")
    if handlers is not None:
        handlers.APILogHandler().flush()


def _prefect_errors() -> tuple[type[Exception], ...]:
    """What Prefect's client raises. brownout's own requests never raise httpx's errors."""
    from prefect.exceptions import PrefectException  # noqa: PLC0415 - Prefect reads its settings when it is imported

    return (PrefectException, httpx.HTTPError)
