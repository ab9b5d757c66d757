"""What operators do beside the night: sync, doctor, feedback, facts, the demo."""
