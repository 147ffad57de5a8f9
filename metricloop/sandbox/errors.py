"""How a contained call fails: for want of walls, or by biting into one."""

from __future__ import annotations


class SandboxError(RuntimeError):
    """There is no sandbox here, or it failed in our own part; no foreign code was run without it."""


class ChildEndedError(Exception):
    """A child is over before it answered; `reason` says in a line which limit or wall ended it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
