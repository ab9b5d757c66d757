"""Warnings as errors, for tests of arithmetic that must not even warn."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["warnings_are_errors"]


@contextmanager
def warnings_are_errors() -> Iterator[None]:
    """Every warning raises; but for sockets that earlier tests of the process left to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        yield
