"""What was measured in an incident, as symptoms with a strength."""
