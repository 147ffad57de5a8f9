"""The files that a node has fetched, by the hash of their content, in a folder of bounded size.

It can be deleted at any time. All processes of a machine share it. What was stored first goes first when it is full.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from diskcache import FanoutCache

FOLDER, SIZE = "METRICLOOP_CACHE", "METRICLOOP_CACHE_GIB"  # environment variables
GIB = 20.0  # where SIZE says nothing
SHARDS = 8  # databases, each with an eighth of the size: so many writers do not wait for each other
PATIENCE = 10.0  # seconds that a writer waits for another
INLINE = 4096  # bytes: what is larger gets a file of its own
Value = TypeVar("Value")


class CacheSizeError(ValueError):
    """METRICLOOP_CACHE_GIB is no size."""


def cache_folder() -> Path:
    """The folder of cached pictures: METRICLOOP_CACHE, or `metricloop` in the user's folder for caches."""
    own = os.environ.get(FOLDER)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base, "metricloop")


def cache_bytes() -> int:
    """How many bytes it may hold. Errors: CacheSizeError."""
    said = os.environ.get(SIZE, "")
    try:
        size = float(said or GIB)
    except ValueError:
        size = -1.0
    if not size > 0:
        raise CacheSizeError(f"{SIZE}={said}: give the size of the cache in GiB, such as {GIB:g}")
    return int(size * 2**30)


class PictureCache:
    """Contents by their SHA-256, and which content a URL had in a given state. Where its folder cannot be used, it
    remembers nothing and says so once.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._held: FanoutCache | None = None
        self._broken = False

    def get(self, sha256: str) -> bytes | None:
        """The content with this hash."""
        return self._try(lambda held: held.get(sha256))

    def has(self, sha256: str) -> bool:
        """Whether the content with this hash is here, or nothing can be kept anyway."""
        return self._try(lambda held: sha256 in held) is not False

    def add(self, data: bytes, url: str = "", state: str = "") -> str:
        """Keep a content, and that the URL has it in this state (such as an ETag; "": unknown); returns its hash."""
        sha256 = hashlib.sha256(data).hexdigest()

        def stored(held: FanoutCache) -> None:
            held.add(sha256, data)
            if state:
                held.set(_key(url, state), sha256)

        self._try(stored)
        return sha256

    def hash_of(self, url: str, state: str) -> str | None:
        """The hash of what the URL has in this state; None where that is not known."""
        return self._try(lambda held: held.get(_key(url, state))) if state else None

    def _try(self, use: Callable[[FanoutCache], Value]) -> Value | None:
        from diskcache import Timeout

        if self._broken:
            return None
        try:
            return use(self._open())
        except Timeout:
            return None
        except (OSError, sqlite3.Error) as error:
            self._broken = True
            warnings.warn(
                f"{self._folder} cannot be used as a cache ({error}), so files are fetched again whenever they are "
                f"read; name another folder: {FOLDER}=DIR",
                stacklevel=2,
            )
            return None

    def _open(self) -> FanoutCache:
        if self._held is None:
            from diskcache import FanoutCache

            folder = self._folder / "files"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._held = FanoutCache(
                folder,
                shards=SHARDS,
                timeout=PATIENCE,
                disk=_plain_disk(),
                size_limit=self._size,
                eviction_policy="least-recently-stored",  # the others write to the database whenever a file is read
                disk_min_file_size=INLINE,
            )
        return self._held


@cache
def picture_cache() -> PictureCache:
    """The cache of this machine. Errors: CacheSizeError."""
    return PictureCache(cache_folder(), cache_bytes())


def _key(url: str, state: str) -> str:
    return f"{url}\n{state}"


@cache
def _plain_disk() -> type:
    """How diskcache stores values, without its pickles: a file that somebody put there must not run code."""
    from diskcache import Disk
    from diskcache.core import MODE_PICKLE

    class PlainDisk(Disk):
        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            if mode == MODE_PICKLE:
                raise sqlite3.DatabaseError("a pickle lies in it")
            return super().fetch(mode, filename, value, read)

    return PlainDisk
