"""ENGINEER: the language model at work: what it is shown, asked and allowed, and its rounds. Imports `study`, `llm`."""
