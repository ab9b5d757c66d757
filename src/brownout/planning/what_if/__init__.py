"""What-if: what a move or another size of a guest would change, from a model in queueing form of its own history."""

from brownout.planning.what_if.console_effects import console_effects
from brownout.planning.what_if.guest_changes import GuestMove, GuestResize, read_moves, read_resizes
from brownout.planning.what_if.hosted_loads import HostedLoads, changed_loads

__all__ = [
    "GuestMove",
    "GuestResize",
    "HostedLoads",
    "changed_loads",
    "console_effects",
    "read_moves",
    "read_resizes",
]
