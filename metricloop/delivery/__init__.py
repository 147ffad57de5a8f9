"""DELIVERY: a study's winner as a detector that people use: promoted, run on pictures, bundled.

Imports `study`, `figures`, `training`, `comparison`, `selection`, `params`, `detector`, `evaluation`, `serving`,
`drawing`, `runtime`, `data`, `text`, `layout`.
"""
