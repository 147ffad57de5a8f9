"""PROPOSE: the language model as an engineer. Today: recorded suggestions that name committed metrics."""
