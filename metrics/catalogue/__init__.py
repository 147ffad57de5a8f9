"""The catalogue: the metrics that come with metricloop, one module per family (see metrics/families.py)."""
