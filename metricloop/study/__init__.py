"""STUDY: a workspace: its plan, parameters, stage graph, commands and commits.

Imports `training`, `comparison`, `selection`, `mending`, `scoring`, `params`, `llm`, `metrics`, `detector`,
`sandbox`, `execution`, `runtime`, `data`, `text`, `layout`.
"""
