"""Several cores: parts side by side, each on one thread, instead of threads within every small product."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["side_by_side"]

MOST = 8
"""More workers than this wait for memory, not for cores."""


@contextmanager
def side_by_side(most: int = MOST) -> Iterator[ThreadPoolExecutor]:
    """A pool with a worker a core, at most ``most``; within it torch uses one thread a worker.

    Recurrences are made of small products: threads within one mostly wait for each other, which on a busy machine takes
    longer than the product.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(min(most, os.cpu_count() or 1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
