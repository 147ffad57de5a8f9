"""FLOWS: Prefect flows that decide which stages run next. They compute nothing and do not import torch."""

if __name__ != "metricloop.flows":
    raise ImportError("this package is called metricloop.flows; import it by that name")
