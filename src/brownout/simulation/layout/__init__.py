"""Which entities there are, and how they are configured."""
