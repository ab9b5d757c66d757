"""Receivers of alerts as the doctor sees them: can they be told, and what would they be told."""
