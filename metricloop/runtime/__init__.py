"""RUNTIME: what every stage needs: its lifetime and lock, the digest of its code, lines of progress, damaged files.

Imports `data`, `layout`, `text`.
"""
