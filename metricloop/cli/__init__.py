"""CLI: the command line, one function per command. No other room imports it.

Imports `flows`, `tasks`, `tracking`, `report`, `engineer`, `auditing`, `delivery`, `takehome`, `study`, `figures`,
`training`, `comparison`, `selection`, `mending`, `scoring`, `params`, `llm`, `metrics`, `detector`, `serving`,
`sandbox`, `drawing`, `runtime`, `data`, `text`, `layout`.
"""
