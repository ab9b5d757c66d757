"""Equations of hosts, guests and consoles."""
