"""From episodes to ranked causes, by evidence that is defined as data."""
