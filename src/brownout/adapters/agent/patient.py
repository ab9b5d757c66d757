"""Sources that may hang run in threads of their own: a stuck disk, server or libvirt never delays the others."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from brownout.domain.errors import BrownoutError

__all__ = ["Patient"]

T = TypeVar("T")


class Patient(Generic[T]):
    """Calls something that may hang and waits so long for it at most; it is never called twice at a time.

    Parameters
    ----------
    ask
        What is called.
    name
        What a person calls it.
    seconds
        How long to wait. What comes later than that is handed over by the next call.
    """

    def __init__(self, ask: Callable[[], Iterable[T]], *, name: str, seconds: float) -> None:
        self._ask, self._name, self._seconds = ask, name, seconds
        self._thread: threading.Thread | None = None
        self._answers: list[T] = []
        self._problem: BrownoutError | None = None

    def __call__(self, _now: float) -> list[T]:
        """The items of the answer; raises BrownoutError where none came in time, or the source reported an error."""
        if self._thread is None:
            self._answers, self._problem = [], None
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._thread.join(self._seconds)
        if self._thread.is_alive():
            msg = f"{self._name} did not answer within {self._seconds:g} s."
            raise BrownoutError(msg, remedy="What it tells is missing until it answers; nothing else waits for it.")
        self._thread = None
        if self._problem is not None:
            raise self._problem
        return self._answers

    def _work(self) -> None:
        try:
            self._answers = list(self._ask())
        except BrownoutError as error:
            self._problem = error
