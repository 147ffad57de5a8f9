"""The two errors of the sandbox: it cannot be used here, or the process in it ended early."""

from __future__ import annotations


class SandboxError(RuntimeError):
    """There is no sandbox on this machine, or the sandbox itself failed. No untrusted code ran without it."""


class ChildEndedError(Exception):
    """A child ended before it answered, mostly because of a limit. `reason` says why, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
