"""SANDBOX: runs untrusted code behind walls that the kernel enforces. Imports `text`, `config`.

docs/sandbox.md says what it stops and how that was tested.
"""
