"""The pictures of a page: each stored once in the page, however often it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from markupsafe import Markup

from metricloop.data.dataset import Dataset
from metricloop.data.door import AwayError
from metricloop.data.pictures import PictureError, read_picture
from metricloop.figures import svg
from metricloop.figures.subset_changes import FirstDraw
from metricloop.figures.svg import Outline

MOST_BYTES = 6_000_000  # of all pictures of a page
SIZES = ((640, 80), (480, 76), (360, 72), (240, 70), (150, 66))  # px high, JPEG quality: the first that fits is taken


@dataclass
class Gallery:
    """The pictures that a page shows. pool: the data set of `show`. pictures: image_id -> (JPEG, width, height of the
    whole picture in px)."""

    pool: Dataset
    pictures: dict[int, tuple[bytes, int, int]] = field(default_factory=dict)

    def show(self, row: int, draw: FirstDraw, label: str, judged: int | None) -> Markup | None:
        """The picture of pool row `row` with its boxes as SVG; None when the file cannot be read.

        judged: row in the pool of the box to draw bold, or None. label: the text for screen readers.
        """
        pool = self.pool
        if not self.read(pool, row):
            return None
        boxes = pool.slice(row)
        inside = None if judged is None else judged - boxes.start
        return svg.boxed_picture(
            int(pool.image_id[row]), int(pool.width[row]), int(pool.height[row]), pool.boxes[boxes], draw.boxes[boxes],
            label, inside,
        )  # fmt: skip

    def show_marked(self, data: Dataset, row: int, outlines: Sequence[Outline], label: str) -> Markup | None:
        """The picture of row `row` of any split with these boxes; None when the file cannot be read."""
        if not self.read(data, row):
            return None
        return svg.marked_picture(int(data.image_id[row]), int(data.width[row]), int(data.height[row]), outlines, label)

    def read(self, data: Dataset, row: int) -> bool:
        """Read a picture, if that was not done before; whether it could be read."""
        key = int(data.image_id[row])
        if key not in self.pictures:
            try:
                picture = read_picture(data.root / data.file[row], str(data.sha256[row]))
            except (PictureError, AwayError):
                return False
            self.pictures[key] = svg.jpeg(picture, *SIZES[0]), int(data.width[row]), int(data.height[row])
        return True

    def store(self) -> Markup:
        """The hidden element with every picture; a page needs it once. Many pictures are stored smaller."""
        smaller = iter(SIZES[1:])
        jpegs = {key: data for key, (data, _, _) in self.pictures.items()}
        while sum(map(len, jpegs.values())) > MOST_BYTES and (size := next(smaller, None)):
            jpegs = {key: svg.jpeg(_decoded(data), *size) for key, (data, _, _) in self.pictures.items()}
        return svg.picture_store(
            {key: (svg.as_uri(jpegs[key]), width, height) for key, (_, width, height) in self.pictures.items()}
        )


def _decoded(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1]
