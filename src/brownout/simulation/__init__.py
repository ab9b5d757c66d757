"""Seeded fleets with faults; the truth comes with the samples."""
