"""REPORT: pages for people: the study, an audit, a metric that was tried, the handbook.

Imports `engineer`, `auditing`, `study`, `figures`, `training`, `comparison`, `selection`, `scoring`, `params`, `llm`,
`metrics`, `evaluation`, `runtime`, `data`, `text`, `layout`.
"""
