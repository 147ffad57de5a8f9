"""COMPARISON: arms against the baseline: statistics, verdicts, the table.

Imports `selection`, `evaluation`, `data`, `text`, `layout`.
"""
