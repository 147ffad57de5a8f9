"""The metrics that come with metricloop: from labels alone, from pixels, from a model's predictions."""
