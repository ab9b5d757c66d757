"""Random numbers over stretches of time that follow each other, with what has to be remembered from one to the next."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

__all__ = ["Array", "Draws"]

Array = npt.NDArray[np.float64]
Drawn = TypeVar("Drawn")


class Draws(np.random.Generator):
    """A generator for one purpose.

    A long fleet is simulated stretch by stretch, so that memory does not grow with its days. Each stretch asks for the
    same things in the same order; the state of a noise, and what is drawn once for all, are looked up by that order.
    """

    def __init__(self, seed: np.random.SeedSequence) -> None:
        super().__init__(np.random.PCG64(seed))
        self._carried: list[list[Any]] = []
        self._index = 0

    def rewind(self) -> None:
        """Begin the next stretch."""
        self._index = 0

    def carried(self, initial: Drawn) -> list[Drawn]:
        """A box that holds the initial value in the first stretch, and afterwards what was put into it."""
        if self._index == len(self._carried):
            self._carried.append([initial])
        box = self._carried[self._index]
        self._index += 1
        return box

    def once(self, draw: Callable[[], Array]) -> Array:
        """What was drawn in the first stretch."""
        box = self.carried(np.empty(0))
        if not box[0].size:
            box[0] = draw()
        return box[0]

    def filtered(self, gains: Sequence[float], feedback: Sequence[float], values: Array) -> Array:
        """A recursive filter of first order along the last axis that goes on where the last stretch ended."""
        state = self.carried(np.zeros((*values.shape[:-1], 1)))
        filtered, state[0] = lfilter(gains, feedback, values, axis=-1, zi=state[0])
        return np.asarray(filtered)
