"""CONTAIN: where code nobody has read will run. Nothing from a language model is executed until it exists."""
