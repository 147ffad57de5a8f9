"""DELIVERY: a study's winner as a detector that people use: promoted, run on pictures, bundled.

Imports `detector`, `serving`, `data`.
"""
