"""Samples on disk: the Parquet history, dataset folders, retention, and files that are whole or not there."""
