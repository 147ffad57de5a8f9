"""Arrays for sandboxed code in sealed shared memory: nobody can change it, not even the process that made it."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

ALIGNMENT = 64
SEALS = (
    fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE if sys.platform == "linux" else 0
)


def pack(meta: Any, arrays: Mapping[str, np.ndarray], seal: bool = True) -> int:
    """Write arrays and a JSON value to a sealed memory file; returns its descriptor, which the caller closes.

    The seals (memfd_create(2)) refuse every later write and every change of size, from any process.
    """
    offset, whole = 0, {name: np.asarray(array, order="C") for name, array in arrays.items()}
    places: dict[str, tuple[int, str, tuple[int, ...]]] = {}
    for name, array in whole.items():
        places[name] = (offset, array.dtype.str, array.shape)
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    head = json.dumps({"meta": meta, "arrays": places}).encode()
    start = -(-(8 + len(head)) // ALIGNMENT) * ALIGNMENT
    descriptor = os.memfd_create("payload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _write(descriptor, len(head).to_bytes(8, "little") + head, 0)
        for name, array in whole.items():
            data = array.tobytes() if array.dtype.kind == "U" else array.reshape(-1).view(np.uint8).data
            _write(descriptor, data, start + places[name][0])
        os.ftruncate(descriptor, start + offset)
        if seal:
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unpack(descriptor: int) -> tuple[Any, dict[str, np.ndarray]]:
    """Read what `pack` wrote, as read-only views. Code that makes them writable (mprotect) changes only its copy."""
    size = os.fstat(descriptor).st_size
    # Private, because before Linux 6.7 a write-sealed file cannot be mapped shared, not even for reading.
    memory = mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
    length = int.from_bytes(memory[:8], "little")
    head = json.loads(memory[8 : 8 + length])
    start = -(-(8 + length) // ALIGNMENT) * ALIGNMENT
    arrays = {
        name: np.frombuffer(memory, dtype, int(np.prod(shape, dtype=np.int64)), start + offset).reshape(shape)
        for name, (offset, dtype, shape) in head["arrays"].items()
    }
    return head["meta"], arrays


def _write(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
