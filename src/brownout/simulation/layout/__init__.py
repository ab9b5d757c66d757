"""Which entities there are, how big they are, and how they are configured."""

from brownout.simulation.layout.fleet_layout import Layout, make_layout

__all__ = ["Layout", "make_layout"]
