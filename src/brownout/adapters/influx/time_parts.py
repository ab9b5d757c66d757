"""Requests that are too long for one answer, or that must not cross some times, are read in parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from brownout.adapters.influx.http import RefusedError, TooLargeError
from brownout.adapters.influx.series_assembly import in_order
from brownout.adapters.influx.transport import Deadline
from brownout.ingest.raw import Raw, Request

__all__ = ["PartReader", "cut_at", "joined"]

SHORTEST_MS = 60_000
"""A request for less time is not cut further."""


class PartReader:
    """Reads a request in as many parts as it takes; remembers how long a part of each measurement may be."""

    def __init__(self, read: Callable[[Request, Deadline], Raw], budget_s: float) -> None:
        self._read = read
        self._budget_s = budget_s
        self._spans: dict[str, int] = {}

    def read(self, request: Request) -> Raw:
        """All samples; raises TooLargeError where even a minute of them is longer than the limit.

        The budget is that of one part: an answer that is always too long ends with the first budget.
        """
        span = self._spans.get(request.measurement)
        waiting = [request] if span is None else list(_in_steps(request, span))
        parts: list[Raw] = []
        deadline = Deadline(self._budget_s)
        too_large: TooLargeError | None = None
        while waiting:
            part = waiting.pop(0)
            try:
                parts.append(self._read(part, deadline))
            except TooLargeError as error:
                too_large = error.with_traceback(None)
                halves = _halves(part)
                if len(halves) < 2 or deadline.left <= 0:
                    raise
                self._spans[request.measurement] = _ms(halves[0].end) - _ms(halves[0].start)
                waiting = [*halves, *waiting]
            except RefusedError:
                if too_large is not None and deadline.left <= 0:
                    break
                raise
            else:
                deadline, too_large = Deadline(self._budget_s), None
        if too_large is not None:
            raise too_large
        return joined(request.fields, parts)


def cut_at(request: Request, times: Sequence[np.datetime64]) -> list[Request]:
    """The request in parts that end at the times which lie within it."""
    edges = [request.start, *(time for time in sorted(times) if request.start < time < request.end), request.end]
    return [replace(request, start=start, end=end) for start, end in pairwise(edges)]


def joined(fields: tuple[str, ...], parts: Sequence[Raw]) -> Raw:
    """Parts of a request, one after the other in time, as one."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Raw.empty(fields)
    if len(parts) == 1:
        return parts[0]
    codes: dict[tuple[tuple[str, str], ...], int] = {}
    series = []
    for part in parts:
        own = [codes.setdefault(tuple(sorted(tags.items())), len(codes)) for tags in part.tags]
        series.append(np.array(own, np.int64)[part.series])
    return in_order(
        fields,
        tuple(dict(key) for key in codes),
        np.concatenate(series),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
        low=None
        if all(part.low is None for part in parts)
        else np.concatenate([np.zeros(part.values.shape) if part.low is None else part.low for part in parts]),
    )


def _halves(request: Request) -> list[Request]:
    """Two halves, cut where a slot begins; the request alone where it cannot be cut."""
    step = max((request.every_s or 0) * 1000, SHORTEST_MS)
    middle = (_ms(request.start) + _ms(request.end)) // 2 // step * step
    return cut_at(request, [np.datetime64(middle, "ms")])


def _in_steps(request: Request, span: int) -> Iterator[Request]:
    step = max((request.every_s or 0) * 1000, SHORTEST_MS)
    span = max(span // step * step, step)
    edges = np.arange(-(-_ms(request.start) // span) * span, _ms(request.end), span)
    yield from cut_at(request, [np.datetime64(int(edge), "ms") for edge in edges])


def _ms(time: np.datetime64) -> int:
    return int(time.astype("datetime64[ms]").astype(np.int64))
