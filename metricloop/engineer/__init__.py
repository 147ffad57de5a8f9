"""ENGINEER: the rounds of the language model: what it sees, proposes and may try.

Imports `study`, `figures`, `training`, `comparison`, `selection`, `mending`, `scoring`, `params`, `llm`, `metrics`,
`evaluation`, `sandbox`, `data`, `text`, `config`, `layout`.
"""
