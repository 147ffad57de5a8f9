"""AUDITING: which labels look wrong, and how well each metric finds the mistakes that are known.

Imports `study`, `selection`, `scoring`, `params`, `metrics`, `evaluation`, `data`, `text`, `layout`.
"""
