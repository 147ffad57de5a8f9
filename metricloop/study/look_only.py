"""While somebody only looks, such as with --dry-run, nothing of a workspace is written, not even what saves time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_looking = ContextVar("looking", default=False)


@contextmanager
def looking_only() -> Iterator[None]:
    """Within this block `is_looking` is True."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def is_looking() -> bool:
    """Whether nothing of the workspace may be written."""
    return _looking.get()
