"""LLM: asks a language model: providers, conversation, journal, limits, recordings. Imports `data` and `text`.

Nothing here is about detection; `engineer` decides what is asked, and why."""
