"""A night on several machines: a Dask cluster for its stages, object storage for its history."""
