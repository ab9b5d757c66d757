"""Names for the arrays that arithmetic is written in."""

import numpy as np
import numpy.typing as npt

__all__ = ["Doubles", "Index", "Marks"]

Doubles = npt.NDArray[np.float64]
"""Values in double precision."""
Index = npt.NDArray[np.int64]
"""Positions in an array, or counts."""
Marks = npt.NDArray[np.bool_]
"""True where something holds."""
