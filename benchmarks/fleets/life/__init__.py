"""What happens in a fleet without being a fault: jobs and operations."""
