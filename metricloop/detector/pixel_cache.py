"""Pictures resized for training, kept in the scratch store so that they are decoded only once."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from metricloop.data import door, letterbox, pictures
from metricloop.data.dataset import Dataset
from metricloop.data.letterbox import letterbox as resize
from metricloop.data.packed import parts_of
from metricloop.data.pictures import read_picture
from metricloop.data.urls import is_url


def scales(dataset: Dataset, size: int) -> np.ndarray:
    """Per image, the factor from original to resized pixels, (n,) float32."""
    return (size / np.maximum(dataset.width, dataset.height)).astype(np.float32)


class Pixels:
    """Resized pictures of a data set by image row, (size, size, 3) uint8 RGB, decoded on first use.

    The store is a memory-mapped file, named by the hashes of the pictures and of this code. All processes share it, it
    needs little memory, and it can be deleted at any time. Every picture is checked against its recorded
    hash when it is decoded, and again when the file's size or time has changed since.
    Errors: PictureError that names the file when it is missing, unreadable or not the ingested one.
    """

    def __init__(self, dataset: Dataset, size: int, store: Path) -> None:
        self._dataset = dataset
        self._size = size
        made_by = [inspect.getsource(module) for module in (letterbox, pictures, sys.modules[__name__])]
        name = hashlib.sha256("\n".join([str(size), *made_by, *dataset.sha256]).encode()).hexdigest()[:16]
        store.mkdir(parents=True, exist_ok=True)
        n = max(1, len(dataset))
        self._pictures = _memory_map(store / f"pixels-{name}.u8", np.uint8, (n, size, size, 3))
        # size and time of the file that each picture was made from; zero when it is not decoded yet
        self._stamps = _memory_map(store / f"pixels-{name}.stamps", np.int64, (n, 2))

    def __getitem__(self, row: int) -> np.ndarray:
        path = self._dataset.root / self._dataset.file[row]
        packed = parts_of(path)
        try:
            stat = os.stat(packed[0] if packed else path)
            stamp = (stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:
            stamp = (-1, -1)
        if tuple(self._stamps[row]) != stamp:
            self._pictures[row] = resize(read_picture(path, self._dataset.sha256[row]), self._size)
            self._stamps[row] = stamp  # after the picture, so that no reader uses an unfinished one
        return self._pictures[row]

    def bring(self, rows: Iterable[int]) -> None:
        """Fetch the pictures at a URL that will be decoded soon, many at the same time."""
        if is_url(self._dataset.root):
            new = [row for row in rows if not self._stamps[row].any()]
            door.bring((self._dataset.root / self._dataset.file[row], self._dataset.sha256[row]) for row in new)


def _memory_map(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A zero-filled (sparse) array on disk; several processes may create it at the same time."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with path.open("ab") as stream:
        if stream.tell() < length:
            stream.truncate(length)
    return np.memmap(path, dtype=dtype, mode="r+", shape=shape)
