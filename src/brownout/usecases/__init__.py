"""What brownout does: take ports, return results."""
