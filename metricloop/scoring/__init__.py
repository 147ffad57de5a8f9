"""SCORING: loads metrics, checks them at the gate, scores a pool with them, and stores the scores.

Imports `params`, `metrics`, `sandbox`, `execution`, `runtime`, `data`, `text`, `layout`.
"""
