"""Embeddings of pictures and of the objects in them, with fingerprints that find near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metricloop.data.dataset import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

THUMBNAIL_PIXELS = 256  # grey pixels of a thumbnail


@dataclass(frozen=True)
class ImageEmbeddings:
    """Embeddings and fingerprints of n pictures. images: (n, d) float32, of length 1; hashes: (n,) uint64, difference
    hashes; thumbnails: (n, 256) uint8 grey (see data.pictures.fingerprint).
    """

    images: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray


@dataclass(frozen=True)
class Embeddings:
    """pool: the pool's pictures, in pool order; crops: (m, d) float32 of length 1, of the pool's boxes, nan for a box
    without area; held_out: the pictures of the search and test splits, without their labels.
    """

    pool: ImageEmbeddings
    crops: np.ndarray
    held_out: ImageEmbeddings


def embeddings_of(images: Any, crops: Any = (), held_out: Any = (), **fingerprints: Any) -> Embeddings:
    """Embeddings from literal vectors, without files: an input for trying a metric.

    images: (n, d) vectors of any length, of a pool's pictures; crops: of its boxes; held_out: of held-out pictures.
    fingerprints: hashes and thumbnails of the pool's pictures. Without them, pictures with equal vectors have equal
    fingerprints.
    """
    points = np.asarray(images, np.float32)
    d = points.shape[1]
    rest = (unit(np.asarray(vectors, np.float32).reshape(-1, d)) for vectors in (crops, held_out))
    return Embeddings(_made_up(unit(points), **fingerprints), next(rest), _made_up(next(rest)))


def _made_up(images: np.ndarray, hashes: Any = None, thumbnails: Any = None) -> ImageEmbeddings:
    digests = np.frombuffer(b"".join(sha256(image.tobytes()).digest() for image in images), np.uint8).reshape(-1, 32)
    hashes = digests[:, :8].copy().view(np.uint64)[:, 0] if hashes is None else np.asarray(hashes, np.uint64)
    thumbnails = np.tile(digests, THUMBNAIL_PIXELS // 32) if thumbnails is None else np.asarray(thumbnails, np.uint8)
    return ImageEmbeddings(images, hashes, thumbnails)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; a row of zeros stays one, nan stays nan."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)


def schema() -> pa.Schema:
    """One row per picture (box_id null) and per box of the pool. vector: the bytes of little-endian float32, null for
    a box without area. hash: a uint64 read as int64; hash and thumbnail are null for boxes.
    """
    import pyarrow as pa

    return pa.schema(
        {
            "split": pa.string(),
            "image_id": pa.int64(),
            "box_id": pa.int64(),
            "vector": pa.binary(),
            "hash": pa.int64(),
            "thumbnail": pa.binary(),
        }
    )


def write_embeddings(path: Path | str, parts: Iterable[Mapping[str, list]], stamp: Mapping[str, str]) -> None:
    """Write a row group per part, so that memory never holds more than one part.

    parts: columns of `schema`. stamp: facts about the network; "dimensions" is the length of the vectors.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from metricloop.data.tables import replacing

    made = schema().with_metadata(dict(stamp))
    options = {"compression": "zstd", "use_dictionary": ["split"]}  # vectors are all different
    with replacing(Path(path)) as temporary, pq.ParquetWriter(temporary, made, **options) as writer:
        for part in parts:
            writer.write_table(pa.table({name: part[name] for name in made.names}, made))


def read_embeddings(path: Path | str, pool: Dataset) -> Embeddings:
    """The embeddings of the pool, in pool order. It reads one row group at a time, to save memory.

    Errors: TableError when the file is missing, has other columns, or lacks pictures or boxes of the pool.
    """
    import pyarrow.parquet as pq

    from metricloop.data.tables import TableError, stamp_of

    path = Path(path)
    if not path.is_file():
        raise TableError(f"{path} does not exist; run the stage embed, which writes it")
    file, stamp = pq.ParquetFile(path), stamp_of(path)
    if missing := [name for name in schema().names if name not in file.schema_arrow.names] or (
        [] if "dimensions" in stamp else ["a stamp with its dimensions"]
    ):
        raise TableError(f"{path} has no {', '.join(missing)}; it holds {', '.join(file.schema_arrow.names)}")
    d = int(stamp["dimensions"])
    crops, images = np.full((len(pool.box_id), d), np.nan, np.float32), np.zeros((len(pool), d), np.float32)
    hashes, thumbnails = np.zeros(len(pool), np.uint64), np.zeros((len(pool), THUMBNAIL_PIXELS), np.uint8)
    pictures, boxes = _Places(pool.image_id), _Places(pool.box_id)
    held_out = [(np.zeros((0, d), np.float32), np.zeros(0, np.uint64), np.zeros((0, THUMBNAIL_PIXELS), np.uint8))]
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=schema().names)
        of_pool, is_box = _equal(table["split"], "pool"), table["box_id"].is_valid().to_numpy()
        rows, places = boxes.find(table["box_id"], is_box & of_pool)
        known = table["vector"].is_valid().to_numpy()[rows]
        crops[places[known]] = _vectors(table, rows[known], d)
        rows, places = pictures.find(table["image_id"], ~is_box & of_pool)
        images[places], hashes[places], thumbnails[places] = _image_columns(table, rows, d)
        rows = np.flatnonzero(~is_box & ~of_pool)
        if len(rows):
            held_out.append(_image_columns(table, rows, d))
    for found, what in ((pictures, "pictures"), (boxes, "boxes")):
        if lacking := int((~found.seen).sum()):
            raise TableError(
                f"{path} lacks {lacking} of the pool's {len(found.seen)} {what}; run the stage embed again"
            )
    together = [np.concatenate(column) for column in zip(*held_out, strict=True)]
    return Embeddings(ImageEmbeddings(images, hashes, thumbnails), crops, ImageEmbeddings(*together))


class _Places:
    """The places of ids in an array, and which ids were found so far."""

    def __init__(self, ids: np.ndarray) -> None:
        self.order = np.argsort(ids, kind="stable")
        self.sorted = ids[self.order]
        self.seen = np.zeros(len(ids), bool)

    def find(self, ids: pa.ChunkedArray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The wanted rows of a table whose ids the array holds, and their places in the array."""
        rows = np.flatnonzero(wanted)
        values = ids.fill_null(-1).to_numpy()[rows]
        at = np.searchsorted(self.sorted, values)
        known = at < len(self.sorted)
        known[known] = self.sorted[at[known]] == values[known]
        places = self.order[at[known]]
        self.seen[places] = True
        return rows[known], places


def _image_columns(table: pa.Table, rows: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hashes = table["hash"].take(rows).to_numpy().astype(np.int64).view(np.uint64)
    thumbnails = b"".join(table["thumbnail"].take(rows).to_pylist())
    return _vectors(table, rows, d), hashes, np.frombuffer(thumbnails, np.uint8).reshape(len(rows), THUMBNAIL_PIXELS)


def _vectors(table: pa.Table, rows: np.ndarray, d: int) -> np.ndarray:
    return np.frombuffer(b"".join(table["vector"].take(rows).to_pylist()), "<f4").reshape(len(rows), d)


def _equal(column: pa.ChunkedArray, word: str) -> np.ndarray:
    import pyarrow.compute as pc

    return pc.equal(column, word).to_numpy()
