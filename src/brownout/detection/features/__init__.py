"""What the isolation forests read: views of metrics, reduced to named columns."""
