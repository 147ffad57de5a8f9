"""The pictures of a page: each stored once in the page, however often it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from metricloop.data.dataset import Dataset
from metricloop.data.pictures import PictureError, read_picture
from metricloop.figures import svg
from metricloop.figures.subset_changes import FirstDraw


@dataclass
class Gallery:
    """Pictures of the pool that a page shows. pictures: image_id -> (data URI, width, height)."""

    pool: Dataset
    pictures: dict[int, tuple[str, int, int]] = field(default_factory=dict)

    def show(self, row: int, draw: FirstDraw, label: str, judged: int | None) -> Markup | None:
        """The picture of pool row `row` with its boxes as SVG; None when the file cannot be read.

        judged: row in the pool of the box to draw bold, or None. label: the text for screen readers.
        """
        pool, key = self.pool, int(self.pool.image_id[row])
        width, height = int(pool.width[row]), int(pool.height[row])
        if key not in self.pictures:
            try:
                picture = read_picture(pool.root / pool.file[row], str(pool.sha256[row]))
            except PictureError:
                return None
            self.pictures[key] = (svg.jpeg_uri(picture), width, height)
        boxes = pool.slice(row)
        inside = None if judged is None else judged - boxes.start
        return svg.boxed_picture(key, width, height, pool.boxes[boxes], draw.boxes[boxes], label, inside)

    def store(self) -> Markup:
        """The hidden element with every picture; a page needs it once."""
        return svg.picture_store(self.pictures)
