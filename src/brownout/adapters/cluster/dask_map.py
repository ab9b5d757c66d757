"""A Dask cluster as the map of a night's stages.

What a stage reads (context and models) is sent once, as the result of a task of its own, so that Dask hands it from
worker to worker and makes it again where the only worker that had it is gone. A worker that ends takes along what it
was at, and no more: Dask gives that to another one.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import dask
import stamina
from distributed import Client, Future, wait
from distributed.scheduler import KilledWorker

from brownout.domain.errors import OrchestrationError
from brownout.domain.ports import Lost, Progress, no_progress

__all__ = ["DaskMap", "dask_cluster"]

T = TypeVar("T")
R = TypeVar("R")

CONNECT_S = 30.0
LOOK_S = 10.0
"""How often the cluster is looked at while nothing ends."""
AHEAD = 3
"""Items that are handed out for each thread of the cluster: none waits, and few results lie there at once."""
TRIES = 3
REMEDY = "Start workers with `dask worker ADDRESS`, or take `cluster.scheduler` out of the settings."


@contextmanager
def dask_cluster(address: str, *, is_transient: Callable[[Exception], bool], patience_s: float) -> Iterator["DaskMap"]:
    """A map on the cluster of a scheduler; raises OrchestrationError where it cannot be reached.

    ``is_transient`` says what a worker tries again by itself. ``patience_s`` is how long a stage waits while there is
    no worker at all.
    """
    # The context of a large fleet is beyond what Dask calls a large graph; it is sent once.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
        try:
            client = Client(address, timeout=CONNECT_S, set_as_default=False, name="brownout")
        except (OSError, ValueError, RuntimeError) as error:
            msg = f"The Dask scheduler {address} cannot be reached: {error}."
            raise OrchestrationError(msg, remedy="Check `cluster.scheduler`, and that it runs.") from error
        with client, client.as_current():
            yield DaskMap(client=client, address=address, is_transient=is_transient, patience_s=patience_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskMap:
    """Applies the work of a stage on a cluster; see ``brownout.domain.ports.Map``."""

    client: Client
    address: str
    is_transient: Callable[[Exception], bool]
    patience_s: float

    def __call__(
        self, stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress = no_progress
    ) -> list[R | Lost]:
        """Results in the order of the items; raises OrchestrationError where the cluster is gone."""
        try:
            return self._results(stage, work, items, progress) if items else []
        except OSError as error:  # of the connection: what the work raises stays with its item
            raise self._gone() from error

    def _results(self, stage: str, work: Callable[[T], R], items: Sequence[T], progress: Progress) -> list[R | Lost]:
        results: dict[int, R | Lost] = {}
        waiting = deque(range(len(items)))
        running: dict[Future, int] = {}
        run = uuid4().hex[:8]
        shared = self.client.submit(_same, work, key=f"{stage}-context-{run}")
        while waiting or running:
            for number in [waiting.popleft() for _ in range(min(len(waiting), self._room() - len(running)))]:
                key = f"{stage}-{run}-{number}"
                future = self.client.submit(_one, shared, items[number], self.is_transient, key=key, pure=False)
                running[future] = number
            for future in self._ended(running):
                number = running.pop(future)
                results[number] = self._outcome(future, items[number])
                progress(stage, len(results) / len(items))
        return [results[number] for number in range(len(items))]

    def _room(self) -> int:
        """How many items may be on the cluster at once."""
        threads: dict[str, int] = self.client.nthreads()
        return max(AHEAD * sum(threads.values()), 1)

    def _gone(self) -> OrchestrationError:
        return OrchestrationError(f"The Dask scheduler {self.address} is gone.", remedy=REMEDY)

    def _ended(self, running: dict[Future, int]) -> set[Future]:
        """Wait for futures; returns those that have ended, at least one."""
        since = time.monotonic()
        while True:
            try:
                return set(wait(list(running), timeout=LOOK_S, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                if self.client.status != "running":
                    raise self._gone() from None
                if self.client.nthreads():
                    since = time.monotonic()
                elif time.monotonic() - since > self.patience_s:
                    msg = f"The Dask cluster has had no worker for {self.patience_s:g} s."
                    raise OrchestrationError(msg, remedy=REMEDY) from None

    def _outcome(self, future: Future, item: T) -> R | Lost:
        """What an item came to; raises OrchestrationError where that is not to be had any more."""
        if future.status == "finished":
            result: R = future.result()
            return result
        if future.status != "error":
            raise self._gone()
        error = future.exception()
        if isinstance(error, KilledWorker):
            msg = f"Every worker that was given it ended: {error}."
            error = OrchestrationError(msg, remedy="Give workers more memory, or `shard_size` a smaller number.")
        return Lost(item=item, error=error)


def _same(work: T) -> T:
    """What a stage shares, as a result that Dask keeps and can make again."""
    return work


def _one(work: Callable[[T], R], item: T, is_transient: Callable[[Exception], bool]) -> R:
    """One item on a worker; what may be over in a moment is tried again."""
    return stamina.RetryingCaller(attempts=TRIES, wait_initial=2.0, wait_max=30.0)(is_transient, work, item)
