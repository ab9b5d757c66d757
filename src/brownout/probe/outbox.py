"""Lines on their way out: a thread writes them, so that a slow reader or database never delays a measurement."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from brownout.domain.errors import BrownoutError

__all__ = ["Outbox"]

TOGETHER_S = 0.25
"""Lines that come within so long are written together, with one flush."""
MOST = 200_000
"""Lines kept for a reader that is behind; older ones are dropped, and told."""


class Outbox:
    """Collects lines and writes them in batches.

    Parameters
    ----------
    write
        Writes a batch of lines; a BrownoutError loses the batch and is told, an OSError ends the outbox.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str]], None],
        complain: Callable[[BrownoutError], None],
        *,
        together_s: float = TOGETHER_S,
        most: int = MOST,
    ) -> None:
        self._broken = False
        self._tell_broken: Callable[[], object] = lambda: None
        self._write, self._complain, self._together_s = write, complain, together_s
        self._lines: deque[str] = deque(maxlen=most)
        self._dropped = self._lost = self._writing = 0
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self._thread.start()

    def when_broken(self, tell: Callable[[], object]) -> None:
        """Call this, from another thread, once nobody reads any more."""
        with self._wake:
            self._tell_broken = tell
            broken = self._broken
        if broken:
            tell()

    def put(self, lines: Sequence[str]) -> None:
        """Take lines; never waits."""
        with self._wake:
            room = (self._lines.maxlen or 0) - len(self._lines)
            dropped = max(0, len(lines) - room)
            self._dropped += dropped
            self._lost += dropped
            self._lines.extend(lines)
            self._wake.notify()

    def close(self, patience_s: float = 10.0) -> int:
        """Write what is left, for so long at most; returns how many lines of the whole run were not written."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(patience_s)
        with self._wake:
            return self._lost + len(self._lines) + self._writing

    def _work(self) -> None:
        while not self._broken:
            with self._wake:
                self._wake.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                if not self._closed:
                    self._wake.wait_for(lambda: self._closed, self._together_s)
                batch, dropped = list(self._lines), self._dropped
                self._lines.clear()
                self._dropped, self._writing = 0, len(batch)
            if dropped:
                what = f"{dropped} lines were dropped: whoever takes them is too slow."
                self._complain(BrownoutError(what, remedy="See that the reader or the database keeps up."))
            try:
                self._write(batch)
                self._written(0)
            except BrownoutError as error:
                self._written(len(batch))
                self._complain(error)
            except (OSError, ValueError):  # a pipe without a reader; a file closed under us
                with self._wake:
                    self._broken = True
                    tell = self._tell_broken
                tell()

    def _written(self, lost: int) -> None:
        with self._wake:
            self._lost += lost
            self._writing = 0
