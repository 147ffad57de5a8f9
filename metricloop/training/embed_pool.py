"""Embeddings: a vector of every picture and of every box of the pool, and fingerprints to find near-duplicates.

Pictures of the held-out splits are embedded too, but their labels are not read. A picture is decoded once. Memory holds
about PART vectors at a time, however many boxes there are.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import schema, write_embeddings
from metricloop.data.pictures import fingerprint, read_picture
from metricloop.params import Params

if TYPE_CHECKING:
    from metricloop.detector.embed import Prepared

HELD_OUT = ("search", "test")
MARGIN = 0.1  # added on each side of a box, as a share of the box: some background helps a network
PART = 1024  # pictures and boxes in memory at the same time
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Opened:
    """One picture and its boxes as inputs of the network (None for a box without area), and its fingerprint."""

    split: str
    image_id: int
    box_id: list[int]
    prepared: list[Prepared | None]
    hash: int
    thumbnail: bytes


def cut(picture: np.ndarray, box: np.ndarray, margin: float = MARGIN) -> np.ndarray | None:
    """The pixels of a box (xyxy) with a margin, clipped to the picture; None for a box without area."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = np.clip(box, 0, [width, height, width, height]).tolist()
    if not (x1 < x2 and y1 < y2):
        return None
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    left, top = max(0, int(x1 - across)), max(0, int(y1 - down))
    return picture[top : int(np.ceil(y2 + down)), left : int(np.ceil(x2 + across))]


def open_picture(dataset: Dataset, row: int, size: int) -> Opened:
    """Decode one picture and cut out its boxes. Errors: PictureError naming the file."""
    from metricloop.detector.embed import prepare

    picture, own = read_picture(dataset.root / str(dataset.file[row]), dataset.sha256[row]), dataset.slice(row)
    shown = [picture, *(cut(picture, box) for box in dataset.boxes[own])]
    mark, thumbnail = fingerprint(picture)
    return Opened(
        split=str(dataset.split[row]),
        image_id=int(dataset.image_id[row]),
        box_id=dataset.box_id[own].tolist(),
        prepared=[None if part is None else prepare(part, size) for part in shown],
        hash=int(mark.view(np.int64)),
        thumbnail=thumbnail.tobytes(),
    )


def ahead(function: Callable[[Item], Made], items: Iterable[Item], jobs: int) -> Iterator[Made]:
    """Map in threads, results in order; at most two items per thread are computed before they are taken."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def parts(pictures: Iterable[Opened], vectors_of: Callable[[list[Prepared]], list[np.ndarray]]) -> Iterator[dict]:
    """Columns of data.embeddings.schema, for groups of pictures with about PART vectors each."""
    gathered: list[Opened] = []
    for picture in pictures:
        gathered.append(picture)
        if sum(len(one.prepared) for one in gathered) >= PART:
            yield _columns(gathered, vectors_of)
            gathered = []
    if gathered:
        yield _columns(gathered, vectors_of)


def _columns(pictures: list[Opened], vectors_of: Callable[[list[Prepared]], list[np.ndarray]]) -> dict[str, list]:
    prepared = [part for picture in pictures for part in picture.prepared]
    vectors = iter(vectors_of([part for part in prepared if part is not None]))
    columns: dict[str, list[Any]] = {name: [] for name in schema().names}
    for picture in pictures:
        for place, part in enumerate(picture.prepared):
            of_picture = place == 0
            columns["split"].append(picture.split)
            columns["image_id"].append(picture.image_id)
            columns["box_id"].append(None if of_picture else picture.box_id[place - 1])
            columns["vector"].append(None if part is None else next(vectors).astype("<f4").tobytes())
            columns["hash"].append(picture.hash if of_picture else None)
            columns["thumbnail"].append(picture.thumbnail if of_picture else None)
    return columns


def embed_all(datasets: list[Dataset], params: Params, path: Path, jobs: int) -> int:
    """Write the vectors of all pictures and boxes of the datasets to `path`; returns the number of rows."""
    from metricloop.detector.embed import build_network, embed
    from metricloop.detector.engine import choose_device, settle

    settle(jobs)
    asked, size, device = params.embed, params.embed.image_size, choose_device(params.train.device)
    network = build_network(
        asked.model, asked.weights, size, detector=params.train.detector, detector_weights=params.train.weights
    )
    rows = [(dataset, row) for dataset in datasets for row in range(len(dataset))]
    opened = ahead(lambda item: open_picture(item[0], item[1], size), rows, jobs)
    made, boxes = 0, sum(len(dataset.box_id) for dataset in datasets)
    total = len(rows) + boxes

    def with_progress() -> Iterator[dict]:
        nonlocal made
        for part in parts(opened, lambda prepared: list(embed(network, prepared, device))):
            yield part
            if 10 * made // total < 10 * (made := made + len(part["split"])) // total:  # ten lines at most
                print(f"embed: {made}/{total} pictures and boxes", file=sys.stderr, flush=True)

    write_embeddings(path, with_progress(), {"model": asked.model, "dimensions": str(network.dimensions)})
    return made
