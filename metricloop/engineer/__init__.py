"""ENGINEER: the rounds of the language model: what it sees, proposes and may try. Imports `study`, `llm` and below."""
