"""MENDING: loads repairs, checks them at the gate, and collects their edits of a pool.

Imports `scoring`, `metrics`, `sandbox`, `data`, `text`, `layout`.
"""
