"""The one night: its context, its stages, and how it is run."""
