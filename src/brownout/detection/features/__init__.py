"""Features that the isolation forests read: views of metrics, reduced over the metrics of an entity."""
