"""Time to saturation, and what to do about a finding."""
