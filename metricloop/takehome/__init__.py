"""TAKEHOME: a language model does a take-home assignment, and checks that need no trust in it keep the score.

Imports `llm`, `sandbox`, `data`, `text`, `config`, `layout`.
"""
