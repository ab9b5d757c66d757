"""From raw samples to panels: dataset folders, resampling with counted repairs, the Parquet history, sync."""
