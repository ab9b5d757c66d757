"""Capacity in a night: which hosts take guests in, which moves are worth it, and which guests have the wrong size."""
