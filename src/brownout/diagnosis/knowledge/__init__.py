"""Symptoms, evidence rules and causes as data, checked when read."""
