"""Which forecaster predicts what, and how wide its intervals are."""
