"""AUDITING: which labels look wrong, and how well each metric finds the mistakes that are known.

Imports `study`, `selection`, `mending`, `scoring`, `params`, `metrics`, `evaluation`, `sandbox`, `data`, `text`,
`layout`.
"""
