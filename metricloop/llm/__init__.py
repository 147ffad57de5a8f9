"""LLM: asks a language model: providers, prompts, conversation, journal, limits, recordings.

Imports `sandbox`, `data`, `text`, `config`, `layout`. `engineer` decides what is asked, and why.
"""
