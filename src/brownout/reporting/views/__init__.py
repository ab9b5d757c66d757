"""Derived views of a night: what a report works out for people beside what the night found."""
