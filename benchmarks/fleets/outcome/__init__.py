"""What comes of it: effects of faults, crossings of limits, the truth, and the folder."""
