"""What collectors write, as canonical samples: schemas, identity, cleaning, counted repairs."""
