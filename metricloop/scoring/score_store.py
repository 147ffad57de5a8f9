"""The store of known scores: one file per digest of a metric's code, with a key per image.

The key covers everything a score depends on: the bytes of the picture, the labels, the predictions. So a stored score
is never out of date, and only new metrics and images are computed. The store can be deleted at any time. Failures are
not stored: they may be temporary.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from metricloop.data.frame import Detections
from metricloop.data.tables import replacing
from metricloop.scoring.batch import Batch
from metricloop.scoring.metric_inputs import MetricInputs
from metricloop.scoring.score_column import ScoreColumn, spans
from metricloop.scoring.score_in_parts import side_of

KEY = np.dtype("V16")


class ScoreStore:
    """Known scores per metric, in a folder of .npz files: keys (k,) V16 sorted, ends (k,), values (all scores)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, digest: str, keys: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of `keys` (n,) are known, (n,) bool, and their scores, concatenated in their order.

        sizes: (n,) the number of scores of each; an entry of another size counts as unknown.
        """
        known, starts, lengths, values = self._read(digest)
        if not len(known) or not len(keys):
            return np.zeros(len(keys), bool), np.zeros(0)
        place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        hit = (known[place] == keys) & (lengths[place] == sizes)
        return hit, values[spans(starts[place[hit]], lengths[place[hit]])]

    def add(self, digest: str, keys: np.ndarray, sizes: np.ndarray, values: np.ndarray) -> None:
        """Add the scores of `keys` (n,), `sizes` (n,) of them each, concatenated in `values`."""
        known, starts, lengths, old = self._read(digest)
        keys = np.concatenate([known, keys])
        starts = np.concatenate([starts, len(old) + np.cumsum(sizes) - sizes]).astype(np.int64)
        lengths = np.concatenate([lengths, sizes]).astype(np.int64)
        keys, first = np.unique(keys, return_index=True)
        starts, lengths = starts[first], lengths[first]
        values = np.concatenate([old, values])[spans(starts, lengths)]
        with replacing(self._path(digest)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, keys=keys.view(np.uint8).reshape(-1, KEY.itemsize), lengths=lengths, values=values)

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.npz"

    def _read(self, digest: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """keys, starts, lengths, values; all empty when the file is missing or damaged."""
        try:
            with np.load(self._path(digest)) as held:
                keys, lengths, values = held["keys"].copy().view(KEY).reshape(-1), held["lengths"], held["values"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return np.zeros(0, KEY), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        return keys, np.cumsum(lengths) - lengths, lengths, values


class KnownScores:
    """The known scores of one batch on one pool."""

    def __init__(self, folder: Path, batch: Batch, inputs: MetricInputs) -> None:
        self._store = ScoreStore(folder)
        self._digests = {spec.name: batch.digest(spec) for spec in batch.specs}
        needs = {need for spec in batch.specs for need in spec.needs}
        self._keys = keys_of(
            inputs,
            about=f"pixels at {side_of(batch.specs)}",
            files=bool(needs & {"image", "file_size"}),
            ids=batch.trust != "catalogue",
        )
        self._known: dict[str, np.ndarray] = {}

    def fill(self, columns: Mapping[str, ScoreColumn]) -> None:
        """Fill the columns with known scores."""
        for name, column in columns.items():
            if digest := self._digests[name]:
                known, scores = self._store.find(digest, self._keys, column.sizes)
                column.fill(np.flatnonzero(known), scores)
                self._known[name] = known

    def keep(self, columns: Mapping[str, ScoreColumn]) -> None:
        """Store the new scores, without failures."""
        for name, column in columns.items():
            if digest := self._digests[name]:
                new = column.done & ~self._known[name]
                new[list(column.errors)] = False
                rows = np.flatnonzero(new)
                if len(rows):
                    self._store.add(digest, self._keys[rows], column.sizes[rows], column.of(rows))


def keys_of(inputs: MetricInputs, *, about: str, files: bool, ids: bool) -> np.ndarray:
    """The contents of each frame of a pool as a key, (n,) V16.

    about: what else the scores of a batch depend on, such as the scale at which pictures are decoded.
    files: include size and time of the picture files, so that a changed file is scored again.
    ids: include the image ids. Metrics of the catalogue do not read them, and reading a data set again may renumber
    them.
    """
    pool = inputs.pool
    keys = np.zeros(len(pool), KEY)
    head = hashlib.blake2b(repr((about, pool.class_names)).encode(), digest_size=KEY.itemsize)
    for row in range(len(pool)):
        own, image_id, digest = pool.slice(row), int(pool.image_id[row]), head.copy()
        text = f"{pool.sha256[row]} {pool.width[row]} {pool.height[row]} {image_id if ids else ''}"
        if files:
            text += _stamp(f"{pool.root}/{pool.file[row]}")
        digest.update(text.encode())
        digest.update(pool.boxes[own].tobytes() + b"|" + pool.labels[own].tobytes())
        if inputs.predictions is not None and image_id in inputs.predictions:
            _add(digest, "", inputs.predictions[image_id])
        for name, found in sorted((inputs.views or {}).items()):
            if image_id in found:
                _add(digest, name, found[image_id])
        if inputs.embeddings is not None:
            digest.update(inputs.embeddings.pool.images[row].tobytes())
        keys[row] = digest.digest()
    return keys


def _add(digest: hashlib.blake2b, name: str, found: Detections) -> None:
    digest.update(name.encode() + b"|" + found.boxes.tobytes() + found.scores.tobytes() + found.labels.tobytes())


def _stamp(path: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return " gone"
    return f" {stat.st_size} {stat.st_mtime_ns}"
