"""From scores to episodes: spans, threshold rules, outliers, and the metrics that moved."""
