"""API: what `import metricloop as ml` offers, as thin adapters. No other room imports it.

Imports `auditing`, `study`, `comparison`, `selection`, `scoring`, `params`, `metrics`, `evaluation`, `data`, `layout`.
"""
