"""Contact sheets: a titled grid of tiles with boxes drawn, a legend and captions, as one JPEG of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from metricloop.llm.message import Picture
from metricloop.text.clean import clean

Detail = Literal["thumbnails", "full"]
Colour = tuple[int, int, int]  # RGB

INK, FAINT = (24, 26, 31), (96, 100, 110)
SHADE = 0.45  # brightness under a box's line, as a share of the picture's
PAGE, MAT = 255, 233  # grey level of the page, and of a tile around a picture that is not square
GAP = 8  # px
DASH, SPACE = 6, 4  # px
# JPEG quality and chroma sampling, tried in order until a sheet is small enough. Thin coloured lines need 4:4:4.
ENCODINGS = (
    (80, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    (70, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    (60, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    (45, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    (30, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    (15, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
)


@dataclass(frozen=True)
class Layout:
    """columns x rows tiles of `side` px. text: OpenCV's font scale; max_bytes: the greatest size of a sheet's JPEG."""

    columns: int
    rows: int
    side: int
    text: float
    max_bytes: int

    @property
    def tiles(self) -> int:
        return self.columns * self.rows

    @property
    def line(self) -> int:
        """Height of a line of text, px."""
        return round(40 * self.text)


LAYOUTS: dict[Detail, Layout] = {
    "thumbnails": Layout(columns=6, rows=2, side=160, text=0.42, max_bytes=120_000),
    "full": Layout(columns=3, rows=2, side=512, text=0.62, max_bytes=1_200_000),
}


@dataclass(frozen=True)
class Style:
    """How a kind of box is drawn, and its name in the legend."""

    name: str
    colour: Colour
    width: int  # px on thumbnails
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """A box (xyxy, pixels of the whole image) to draw."""

    box: Sequence[float] | np.ndarray
    style: Style


@dataclass(frozen=True)
class Tile:
    """picture: (side, side, 3) uint8 RGB, see `draw_tile`. caption: lines; long ones are wrapped, then cut."""

    picture: np.ndarray
    caption: tuple[str, ...]


def draw_tile(image: np.ndarray, window: Sequence[float], marks: Sequence[Mark], layout: Layout) -> np.ndarray:
    """The part `window` (xyxy, pixels) of `image` (H, W, 3) uint8 RGB, as large as fits a tile, marks on top."""
    left, top = int(window[0]), int(window[1])
    crop = image[top : max(top + 1, round(window[3])), left : max(left + 1, round(window[2]))]
    factor = layout.side / max(crop.shape[:2])
    width, height = (max(1, round(size * factor)) for size in (crop.shape[1], crop.shape[0]))
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    view = np.ascontiguousarray(cv2.resize(crop, (width, height), interpolation=smooth))
    scale = np.tile((width / crop.shape[1], height / crop.shape[0]), 2)
    boxes = [(np.asarray(mark.box, float) - (left, top, left, top)) * scale for mark in marks]
    _outline(view, boxes, [mark.style for mark in marks], layout)
    tile = np.full((layout.side, layout.side, 3), MAT, np.uint8)
    x, y = (layout.side - width) // 2, (layout.side - height) // 2
    tile[y : y + height, x : x + width] = view
    return tile


def contact_sheet(
    title: str, strips: Sequence[tuple[str, Sequence[Tile]]], legend: Sequence[Style], layout: Layout
) -> Picture:
    """A sheet of titled strips, each (heading or "", tiles). All text is reduced to ASCII."""
    columns = max(min(layout.columns, max(len(tiles) for _, tiles in strips)), min(3, layout.columns))
    width = GAP + columns * (layout.side + GAP)
    parts = [_words(title, width, layout.text * 1.25, layout, INK, bold=True)]
    if legend:
        parts.append(_legend(legend, width, layout))
    for heading, tiles in strips:
        if heading:
            parts.append(_words(heading, width, layout.text * 1.1, layout, INK))
        parts += [_row(tiles[at : at + columns], width, layout) for at in range(0, len(tiles), columns)]
    sheet = np.concatenate([_blank(GAP // 2, width), *parts])
    return Picture(plain(title), _jpeg(sheet, layout.max_bytes))


def plain(text: str) -> str:
    """The text as one line of ASCII, because OpenCV's fonts have no other characters."""
    swapped = clean(text).translate({0x2212: "-", 0x2013: "-", 0xA0: " "})
    return swapped.encode("ascii", "replace").decode()


def _outline(view: np.ndarray, boxes: Sequence[np.ndarray], styles: Sequence[Style], layout: Layout) -> None:
    """Draw boxes, in pixels of `view`, on a dark line that keeps them visible on any background."""
    extra = 0 if layout.side < 256 else 1
    corners = [_corners(box, view, style.width + extra) for box, style in zip(boxes, styles, strict=True)]
    shade = np.zeros(view.shape[:2], np.uint8)
    for box, style in zip(corners, styles, strict=True):
        cv2.rectangle(shade, box[:2], box[2:], 1, style.width + extra + 2)
    view[shade > 0] = (SHADE * view[shade > 0]).astype(np.uint8)
    for box, style in zip(corners, styles, strict=True):
        (_dashes if style.dashed else _solid)(view, box, style.colour, style.width + extra)


def _corners(box: np.ndarray, view: np.ndarray, width: int) -> tuple[int, int, int, int]:
    """Where to draw a box: an edge on the border of the view is moved inside, an edge beyond it stays outside."""
    limit = np.array([view.shape[1], view.shape[0]] * 2)
    near = (box > -1.5) & (box < limit + 1.5)
    inside = np.clip(np.rint(box), width // 2 + 1, limit - 2 - width // 2)
    x1, y1, x2, y2 = (int(value) for value in np.where(near, inside, np.rint(box)).clip(-10_000, 20_000))
    return x1, y1, x2, y2


def _solid(view: np.ndarray, box: tuple[int, int, int, int], colour: Colour, width: int) -> None:
    cv2.rectangle(view, box[:2], box[2:], colour, width)


def _dashes(view: np.ndarray, box: tuple[int, int, int, int], colour: Colour, width: int) -> None:
    x1, y1, x2, y2 = box
    for start in range(x1, x2, DASH + SPACE):
        for y in (y1, y2):
            cv2.line(view, (start, y), (min(start + DASH, x2), y), colour, width)
    for start in range(y1, y2, DASH + SPACE):
        for x in (x1, x2):
            cv2.line(view, (x, start), (x, min(start + DASH, y2)), colour, width)


def _legend(styles: Sequence[Style], width: int, layout: Layout) -> np.ndarray:
    """A small box in each style with its name, in as many lines as needed."""
    sample = (round(1.6 * layout.line), layout.line - 6)
    lines, x = [_blank(layout.line + 4, width)], GAP
    for style in styles:
        name = fit(plain(style.name), width - sample[0] - 3 * GAP, layout.text)
        taken = sample[0] + GAP + _measure(name, layout.text)
        if x + taken > width - GAP and x > GAP:
            lines.append(_blank(layout.line + 4, width))
            x = GAP
        ground = np.full((sample[1], sample[0], 3), 120, np.uint8)
        _outline(ground, [np.array([0.0, 0.0, *sample])], [style], layout)
        lines[-1][3 : 3 + sample[1], x : x + sample[0]] = ground
        _write(lines[-1], name, (x + sample[0] + GAP // 2, round(0.72 * layout.line)), layout.text, FAINT)
        x += taken + 2 * GAP
    return np.concatenate(lines)


def _row(tiles: Sequence[Tile], width: int, layout: Layout) -> np.ndarray:
    captions = [[line for text in tile.caption for line in wrap(plain(text), layout)] for tile in tiles]
    words = max(len(lines) for lines in captions) * layout.line
    row = _blank(layout.side + words + GAP, width)
    for column, (tile, lines) in enumerate(zip(tiles, captions, strict=True)):
        x = GAP + column * (layout.side + GAP)
        row[: layout.side, x : x + layout.side] = tile.picture
        for number, line in enumerate(lines):
            y = layout.side + round((number + 0.78) * layout.line)
            _write(row, line, (x, y), layout.text, INK if number == 0 else FAINT)
    return row


def _words(text: str, width: int, scale: float, layout: Layout, colour: Colour, bold: bool = False) -> np.ndarray:
    strip = _blank(round(1.5 * layout.line), width)
    for shift in (0, 1) if bold else (0,):
        _write(strip, fit(plain(text), width - 2 * GAP, scale), (GAP + shift, layout.line), scale, colour)
    return strip


def wrap(text: str, layout: Layout, most: int = 2) -> list[str]:
    """`text` in at most `most` lines as wide as a tile; the last line is cut where it is too long."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (_measure(longer, layout.text) <= layout.side or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(word)
    return [fit(line, layout.side, layout.text) for line in lines]


def fit(text: str, width: int, scale: float) -> str:
    """`text`, or its beginning followed by two dots, at most `width` px wide."""
    if _measure(text, scale) <= width:
        return text
    while text and _measure(f"{text}..", scale) > width:
        text = text[:-1]
    return f"{text}.."


def _measure(text: str, scale: float) -> int:
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAGE, np.uint8)


def _jpeg(sheet: np.ndarray, max_bytes: int) -> bytes:
    """The best JPEG of at most `max_bytes`; the smallest one when all are larger."""
    data = b""
    for quality, sampling in ENCODINGS:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        done, encoded = cv2.imencode(".jpg", sheet[:, :, ::-1], options)
        if not done:
            raise ValueError(f"OpenCV could not encode a sheet of shape {sheet.shape} as JPEG")
        data = encoded.tobytes()
        if len(data) <= max_bytes:
            break
    return data
