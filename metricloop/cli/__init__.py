"""CLI: the command line, one function per command. No other room imports it.

Imports `flows`, `tracking`, `report`, `engineer`, `study`, `training`, `comparison`, `selection`, `scoring`, `params`,
`llm`, `detector`, `sandbox`, `runtime`, `data`, `text`, `layout`.
"""
