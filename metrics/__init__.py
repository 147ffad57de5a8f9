"""METRICS: the contract that people write metrics against, and the catalogue, a file per family.

Imports `evaluation`, `data`.
"""

if __name__ != "metricloop.metrics":
    raise ImportError("this package is called metricloop.metrics; import it by that name")
