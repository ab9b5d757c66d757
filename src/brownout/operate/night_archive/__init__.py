"""The archive of nights: which are missing, and a month of them in short."""
