"""Receivers of alerts as the doctor sees them: whether they can be reached, and what they would be sent."""
