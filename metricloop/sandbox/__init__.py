"""SANDBOX: where code nobody has read runs, and the only place where it does. Imports `text` and `config`.

docs/sandbox.md says what it stops and how that was tested."""
