"""TRACKING: the study in MLflow; only `write_run`, `traces`, `mirror`, `registry` and `served_model` import mlflow.

Imports `delivery`, `engineer`, `takehome`, `study`, `figures`, `comparison`, `params`, `llm`, `serving`,
`data`, `text`, `layout`.
"""
