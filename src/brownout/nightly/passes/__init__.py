"""Passes of watch: what one keeps for the next."""
