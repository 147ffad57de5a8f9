"""STUDY: a workspace: its plan, parameters, stage graph, commands and commits.

Imports `training`, `comparison`, `selection`, `scoring`, `params`, `llm`, `metrics`, `detector`, `sandbox`,
`runtime`, `data`, `text`, `layout`.
"""
