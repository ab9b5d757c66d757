"""Prefect flows: when and in what order. No arithmetic here."""
