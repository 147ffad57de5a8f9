"""FIGURES: charts as SVG, contact sheets as JPEG, and the numbers below them.

Imports `scoring`, `llm`, `evaluation`, `data`, `text`.
"""
