"""LLM: talking with a language model: provider, conversation, journal, limits, recordings. Imports `data` and `text`.

It knows nothing of detection; what is asked, and why, is in `engineer`."""
