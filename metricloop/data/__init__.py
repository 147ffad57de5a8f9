"""DATA: data sets as tables and arrays: formats, pictures, labels, splits, deliberate damage.

Imports `config`, `layout`, `text`.
"""
