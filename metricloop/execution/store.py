"""Finished results as files by content, in a folder or behind a URL: whoever asks again need not compute them again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from metricloop.data.storage_libraries import opened
from metricloop.data.tables import replacing
from metricloop.data.urls import SCHEMES


def read_kept(place: str) -> bytes | None:
    """What is kept at a place, a path or a URL; None where nothing is, or where it cannot be read now."""
    try:
        if "://" not in place:
            return Path(place).read_bytes()
        files, path = _files(place)
        return files.cat_file(path) if files.exists(path) else None
    except FileNotFoundError:
        return None
    except Exception as error:  # a server that is away costs a repetition, not the study
        if "://" not in place:
            raise
        _tell("read", place, error)
        return None


def keep(place: str, content: bytes) -> None:
    """Keep a result, whole or not at all; only the writer of a local file learns that it failed."""
    if "://" not in place:
        with replacing(Path(place)) as temporary:
            temporary.write_bytes(content)
        return
    try:
        files, path = _files(place)
        files.makedirs(files._parent(path), exist_ok=True)
        files.pipe_file(path, content)  # an object appears in a bucket when all of it is there
    except Exception as error:
        _tell("written", place, error)


def drop_kept(place: str) -> None:
    """Delete a result, and the folder of its own that it lies in."""
    folder = place.rpartition("/")[0]
    if "://" not in place:
        shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        files, path = _files(folder)
        if files.exists(path):
            files.rm(path, recursive=True)
    except Exception as error:
        _tell("deleted", place, error)


def _files(place: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    scheme = place.partition("://")[0]
    if scheme in SCHEMES:
        files = opened(scheme)
        return files, files._strip_protocol(place)
    return url_to_fs(place)


def _tell(what: str, place: str, error: Exception) -> None:
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    print(f"execution.store: {place} cannot be {what}: {said}", file=sys.stderr, flush=True)
