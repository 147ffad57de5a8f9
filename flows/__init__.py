"""FLOWS: Prefect decides what happens next. No numerics, never imports torch."""

if __name__ != "metricloop.flows":
    raise ImportError("this package is called metricloop.flows; import it by that name")
