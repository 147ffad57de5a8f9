"""The pictures of an audit's page: a close-up of each finding, and each whole picture once, within a limit of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.auditing.same_regions import differing
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import Dataset
from metricloop.data.door import AwayError
from metricloop.data.pictures import PictureError, read_picture
from metricloop.figures import svg
from metricloop.figures.example_pictures import ENLARGED, window_around

MOST_BYTES = 13_500_000  # of all pictures on a page, as text
CLOSE_UPS = 0.4  # of these bytes
TILE = 320  # px; side of a close-up
CUTS = (320, 240, 160)  # px of the file; a close-up has so many around a small object, as many as its bytes allow
SIDES = (1600, 1280, 1024, 800, 640, 512, 400, 320, 240, 160)  # px; tried in order until a picture is small enough
QUALITY = 78  # of JPEG

CONFLICT = "conflict"  # copies of one picture whose labels differ

Window = tuple[int, int, int, int]  # xyxy, pixels of the whole picture


@dataclass(frozen=True)
class Pictures:
    """windows: what part of its picture each finding shows; cuts: what its close-up holds, which is more around a small
    object; close_ups: as data URIs, None where the file cannot be read; whole: image row -> the whole picture so;
    others: of a finding about two pictures the other one, None where there is none or it cannot be read."""

    windows: list[Window]
    cuts: list[Window]
    close_ups: list[str | None]
    whole: dict[int, str]
    others: list[OtherPicture | None]


@dataclass(frozen=True)
class OtherPicture:
    """The picture that a finding's own picture repeats. window: the part that is shown, in its pixels; uri: that part
    as a data URI; row: of the picture in the data set, None where the study leaves it out."""

    window: Window
    uri: str
    row: int | None


def pictures(data: Dataset, found: Sequence[Suspect], most_bytes: int = MOST_BYTES) -> Pictures:
    """The pictures of findings; each file is read once. most_bytes: of all of them together, as far as it can be met
    with pictures of the least of SIDES."""
    windows = [window(data, it) for it in found]
    cuts = list(windows)
    close_ups: list[str | None] = [None] * len(found)
    whole: dict[int, str] = {}
    rows: dict[int, list[int]] = {}
    for place, it in enumerate(found):
        rows.setdefault(it.row, []).append(place)
    each = CLOSE_UPS * most_bytes / max(1, len(found) + sum(it.other is not None for it in found))
    others = [_other(data, it, shown, each) for it, shown in zip(found, windows, strict=True)]
    left, to_come = most_bytes - sum(len(one.uri) for one in others if one), len(rows)
    for row, places in rows.items():
        try:
            picture = read_picture(data.root / str(data.file[row]), str(data.sha256[row]))
        except (PictureError, AwayError):
            to_come -= 1
            continue
        for place in places:
            cuts[place], close_ups[place] = _close_up(picture, windows[place], each)
            left -= len(close_ups[place] or "")
        rest = max(0.0, left - each * sum(one is None for one in close_ups))
        whole[row] = _within(picture, rest / to_come, SIDES[0])
        left, to_come = left - len(whole[row]), to_come - 1
    return Pictures(windows, cuts, close_ups, whole, others)


def row_of(data: Dataset, file: str | None) -> int | None:
    """The image row of a file; None where the data set has no such file."""
    found = np.flatnonzero(data.file == file)
    return int(found[0]) if len(found) else None


def _other(data: Dataset, it: Suspect, shown: Window, most: float) -> OtherPicture | None:
    """The picture that `it` repeats, with at most `most` characters: the same part of it as `shown` of the first."""
    if it.other is None:
        return None
    row = row_of(data, it.other)
    try:
        picture = read_picture(data.root / it.other, None if row is None else str(data.sha256[row]))
    except (PictureError, AwayError):
        return None
    height, width = picture.shape[:2]
    across, down = width / data.width[it.row], height / data.height[it.row]
    x1, y1 = min(int(shown[0] * across), width - 1), min(int(shown[1] * down), height - 1)
    x2, y2 = max(x1 + 1, round(shown[2] * across)), max(y1 + 1, round(shown[3] * down))
    return OtherPicture((x1, y1, x2, y2), _within(picture[y1:y2, x1:x2], most, TILE), row)


def _close_up(picture: np.ndarray, shown: Window, most: float) -> tuple[Window, str]:
    """The close-up of a window, and the part of the picture that it holds.

    It has the pixels of the file and what is around the window, if that is small enough: at most `most` characters. If
    not, it is the window alone, made smaller.
    """
    for side in CUTS:
        x1, y1, x2, y2 = cut = _widened(picture, shown, side)
        if max(x2 - x1, y2 - y1) <= TILE:
            uri = svg.jpeg_uri(picture[y1:y2, x1:x2], y2 - y1, QUALITY)
            if len(uri) <= most:
                return cut, uri
    x1, y1, x2, y2 = shown
    return shown, _within(picture[y1:y2, x1:x2], most, TILE)


def _widened(picture: np.ndarray, shown: Window, side: int) -> Window:
    """The window with at least `side` px each way, as far as the picture (H, W, 3) reaches."""
    spans = []
    for first, last, limit in zip(shown[:2], shown[2:], picture.shape[1::-1], strict=True):
        length = min(max(side, last - first), limit)
        start = min(max((first + last - length) // 2, 0), limit - length)
        spans.append((start, start + length))
    (left, right), (top, bottom) = spans
    return left, top, right, bottom


def window(data: Dataset, it: Suspect) -> Window:
    """The part of its picture that a finding is shown with: around the label, and around the model's box where the two
    touch or no label is there; of a copy around the boxes that differ; else the whole picture."""
    width, height = int(data.width[it.row]), int(data.height[it.row])
    seen = [np.asarray(data.boxes[it.box], float)] if it.box >= 0 else []
    if it.model and (not seen or _touch(seen[0], np.array(it.model[0]))):
        seen.append(np.array(it.model[0]))
    if it.kind == CONFLICT and (other := row_of(data, it.other)) is not None:
        seen += list(differing(data, it.row, other))
    if not seen:
        return 0, 0, width, height
    both = np.concatenate([np.min(seen, axis=0)[:2], np.max(seen, axis=0)[2:]])
    x1, y1, x2, y2 = window_around(both, width, height, 190 / ENLARGED)
    return int(x1), int(y1), max(int(x1) + 1, round(x2)), max(int(y1) + 1, round(y2))


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all())


def _within(picture: np.ndarray, most: float, side: int) -> str:
    """The largest JPEG of a picture (H, W, 3) with at most `most` characters and a longer side of at most `side`."""
    height, width = picture.shape[:2]
    uri = ""
    for size in (size for size in SIDES if size <= side or size == SIDES[-1]):
        uri = svg.jpeg_uri(picture, max(1, round(min(size / max(height, width), 1) * height)), QUALITY)
        if len(uri) <= most:
            break
        picture = _halved(picture, size)
    return uri


def _halved(picture: np.ndarray, size: int) -> np.ndarray:
    """The picture, made smaller once it is much larger than what is tried next, which saves time."""
    import cv2

    factor = size / max(picture.shape[:2])
    if factor >= 0.9:
        return picture
    shape = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
