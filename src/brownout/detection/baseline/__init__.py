"""What is usual of a series, learned from its past without look-ahead."""
