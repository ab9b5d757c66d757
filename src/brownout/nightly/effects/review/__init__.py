"""Effects around a training: its card, its failure, drift that asks for it, and shadow nights before it serves."""
