"""The baseline of a series: what is normal for it at each time of day, learned from its history only."""
