"""COMPARISON: arms against the baseline: statistics, verdicts, the table. Imports `selection` and below."""
