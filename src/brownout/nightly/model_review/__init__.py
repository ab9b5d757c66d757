"""Review of models: a newer one beside the one in use, whether it works today, and how far the data have moved."""
