"""Chances to cross a limit, and their correction."""
