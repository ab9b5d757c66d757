"""Arithmetic that several parts share: each routine once, each checked against a plain loop."""
