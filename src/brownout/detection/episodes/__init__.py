"""Episodes: spans of high scores, the metrics that moved, the rules raised, and the kind of movement."""
