"""FLOWS: Prefect flows that decide which stages run next. They compute nothing and do not import torch.

Imports `tracking`, `report`, `auditing`, `delivery`, `takehome`, `study`, `training`, `comparison`, `engineer`,
`params`, `llm`, `data`, `text`, `layout`. `audit.py` runs stages in the same way, without Prefect.
"""

if __name__ != "metricloop.flows":
    raise ImportError("this package is called metricloop.flows; import it by that name")
