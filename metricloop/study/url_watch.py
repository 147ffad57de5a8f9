"""Whether a data set at a URL has changed, without asking for a million names whenever somebody looks at a study.

All names are listed when a study begins to use a place, and again when the last time is long enough ago: a listing may
take a twentieth of the time, and is at most an hour old. In between only the label files are asked about, where they
are few. Whatever this overlooks for an hour cannot spoil a result: every picture is held against its hash.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data import door, remote
from metricloop.data.fingerprint import Fingerprint, fingerprint
from metricloop.data.formats.place import DEEPEST, base_of
from metricloop.data.pictures import SUFFIXES
from metricloop.data.storage import hurried
from metricloop.data.tables import read_json, write_json
from metricloop.data.urls import is_url

SHARE = 0.05  # of the time: what listing may take
OLDEST = 3600.0  # seconds
FEW = 20  # label files that are asked about one by one


def fingerprint_with_urls(folder: Path, places: Sequence[Path]) -> Fingerprint | None:
    """The fingerprint of all files at some places of which at least one is a URL; None where a server is away.

    places: the source first.
    """
    try:
        with hurried():
            far = [str(place) for place in places if is_url(place)]
            found = _remembered(folder, far) or _listed(folder, far, source_first=is_url(places[0]))
    except (door.AwayError, door.MissingPackageError):
        return None
    near = [base_of(place) if number == 0 else place for number, place in enumerate(places) if not is_url(place)]
    if not near:
        return found
    own = fingerprint(near)
    digest = hashlib.sha256(f"{own.digest} {found.digest}".encode()).hexdigest()[:32]
    return Fingerprint(own.files + found.files, own.bytes + found.bytes, digest)


def _remembered(folder: Path, far: list[str]) -> Fingerprint | None:
    """The last fingerprint of these places, where it is not too old and the label files are those of then."""
    try:
        known = read_json(folder / layout.LISTED)
        young = time.time() - known["at"] < min(OLDEST, known["took"] / SHARE)
        found = Fingerprint(*known["fingerprint"])
        labels = dict(known["labels"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if known["places"] != far or not young:
        return None
    with ThreadPoolExecutor(FEW) as pool:  # each in a copy of this context, which says not to wait
        now = {path: pool.submit(copy_context().run, remote.state, path) for path in labels}
    return found if all(now[path].result() == state for path, state in labels.items()) else None


def _listed(folder: Path, far: list[str], *, source_first: bool) -> Fingerprint:
    """The fingerprint of what the places hold now. source_first: the first may be a label file, or its folder."""
    remote.forget()
    began = time.monotonic()
    total, files, size = hashlib.sha256(), 0, 0
    labels: dict[str, int] | None = {}
    tops = [str(base_of(Path(far[0]))), *far[1:]] if source_first else far
    for path, state, length in _walk(sorted(set(tops))):
        total.update(f"{path}\0{state}\0".encode())
        files, size = files + (path != ""), size + length
        if labels is not None and path and Path(path).suffix.lower() not in SUFFIXES:
            labels = {**labels, path: state} if len(labels) < FEW else None
    found = Fingerprint(files, size, total.hexdigest()[:32])
    known: dict[str, Any] = {"places": far, "at": time.time(), "took": time.monotonic() - began}
    write_json(folder / layout.LISTED, known | {"fingerprint": list(found), "labels": labels or {}})
    return found


def _walk(tops: list[str]) -> Iterator[tuple[str, int, int]]:
    """(path, state, 0) of every file, and ("", 0, bytes) of every folder."""
    todo = [(place, 0) for place in reversed(tops) if not any(place != o and door.inside(place, [o]) for o in tops)]
    while todo:
        folder, depth = todo.pop()
        if remote.packed_parts(folder):  # its names would be known only after reading all of it
            yield folder, remote.state(folder), 0
            continue
        own = remote.listing(folder)
        yield "", 0, own.size
        for name, state in own.states.items():
            path = f"{folder}/{name}"
            if state != remote.FOLDER:
                yield path, state, 0
            elif depth < DEEPEST:
                todo.append((path, depth + 1))
