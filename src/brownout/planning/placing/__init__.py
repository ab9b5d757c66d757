"""Where guests go: one new guest, or guests of hosts that will be too busy, by CP-SAT on what is forecast."""

from brownout.planning.placing.fleet_ahead import FleetAhead, GuestAhead, HostAhead
from brownout.planning.placing.new_guest import place_new_guest
from brownout.planning.placing.rebalancing import Rules, rebalance

__all__ = ["FleetAhead", "GuestAhead", "HostAhead", "Rules", "place_new_guest", "rebalance"]
