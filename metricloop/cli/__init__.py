"""CLI: the command line, one function per command. No other room imports it.

Imports `flows`, `tracking`, `report`, `engineer`, `delivery`, `takehome`, `study`, `training`, `comparison`,
`selection`, `scoring`, `params`, `llm`, `detector`, `serving`, `sandbox`, `runtime`, `data`, `text`, `layout`.
"""
