"""TRACKING: the study in MLflow; only `track` and `traces` import mlflow.

Imports `engineer`, `study`, `comparison`, `llm`, `data`, `text`, `layout`.
"""
