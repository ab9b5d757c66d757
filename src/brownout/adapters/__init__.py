"""The only place that knows MLflow and other outside systems."""
