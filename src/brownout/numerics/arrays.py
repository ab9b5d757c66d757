"""Names for the arrays that arithmetic is written in; they are defined beside the panel."""

from brownout.domain.panel import Doubles, Float, Index, Marks, Times

__all__ = ["Doubles", "Float", "Index", "Marks", "Times"]
