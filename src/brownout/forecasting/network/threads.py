"""Threads: parts of a batch in parallel, each on one thread, instead of threads within every small product."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["side_by_side"]

MOST = 8
"""Workers at most: more are bound by memory bandwidth."""


@contextmanager
def side_by_side(most: int = MOST) -> Iterator[ThreadPoolExecutor]:
    """A pool with a worker a core, at most ``most``; within it torch uses one thread a worker.

    A recurrence consists of small products, in which threads would mostly wait for each other.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(min(most, os.cpu_count() or 1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
