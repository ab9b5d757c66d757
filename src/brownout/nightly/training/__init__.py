"""Training of a night: which entities are read, and the models that are made of them."""
