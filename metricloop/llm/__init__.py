"""LLM: asks a language model: providers, prompts, conversation, journal, limits, recordings.

Imports `data`, `text`, `config`, `layout`. `engineer` decides what is asked, and why.
"""
