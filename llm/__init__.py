"""PROPOSE: the language model as an engineer: its conversation, journal, limits, prompts and recordings."""
