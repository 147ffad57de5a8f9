"""TRACKING: the study in MLflow; only `write_run`, `traces`, `registry` and `served_model` import mlflow.

Imports `delivery`, `engineer`, `takehome`, `study`, `comparison`, `llm`, `serving`, `data`,
`text`, `layout`.
"""
