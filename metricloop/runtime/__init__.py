"""RUNTIME: what every stage needs: its lifetime and lock, the digest of its code, lines of progress.

Imports `data`, `layout`.
"""
