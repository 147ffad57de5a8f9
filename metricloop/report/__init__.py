"""REPORT: pages for people: the study, an audit, a metric that was tried, the handbook.

Imports `engineer`, `auditing`, `study`, `figures`, `comparison`, `scoring`, `params`, `llm`, `metrics`, `runtime`,
`data`, `text`, `layout`.
"""
