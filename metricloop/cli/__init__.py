"""CLI: the command line, one function per command. No other room imports it.

Imports `flows`, `tasks`, `tracking`, `report`, `engineer`, `delivery`, `takehome`, `study`, `figures`, `training`,
`comparison`, `selection`, `scoring`, `params`, `llm`, `detector`, `serving`, `sandbox`, `drawing`, `runtime`, `data`,
`text`, `layout`.
"""
