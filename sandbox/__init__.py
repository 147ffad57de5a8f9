"""CONTAIN: where code nobody has read runs, and the only place where it does. docs/sandbox.md says what holds it."""
