"""The tracks of CVAT's XML for videos, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from metricloop.data.formats.cvat_shapes import SHAPES, Box, is_crowd, shape_box
from metricloop.data.formats.values import number, truth


class TrackBox(NamedTuple):
    """What a track says of one frame. box: None where the object is out of sight; turned: the shape was turned."""

    frame: int
    box: Box | None
    crowd: bool
    turned: bool
    made: bool = False  # between two key frames that the file names, by interpolation


def track_boxes(track: Element, frames: Iterable[int]) -> tuple[list[TrackBox], int]:
    """The frames of a track, and how many of its shapes cannot be read.

    frames: all frames that any track of the file names. Where one of them lies between two key frames of this track,
    the box is in between. CVAT itself writes every frame; other tools write key frames only.
    """
    stated: dict[int, TrackBox] = {}
    unread = 0
    for shape in track:
        if shape.tag not in SHAPES:
            continue
        try:
            frame = int(number(shape.get("frame")))
        except (ValueError, OverflowError):
            unread += 1
            continue
        box, turned = shape_box(shape)
        outside = truth(shape.get("outside"))
        if box is None and not outside:
            unread += 1
            continue
        stated[frame] = TrackBox(frame, None if outside else box, is_crowd(shape), turned and not outside)
    return _filled(stated, frames), unread


def _filled(stated: dict[int, TrackBox], frames: Iterable[int]) -> list[TrackBox]:
    own = sorted(stated)
    result = list(stated.values())
    missing = sorted(set(frames) - stated.keys())
    place = 0
    for frame in missing:
        while place + 1 < len(own) and own[place + 1] < frame:
            place += 1
        if place + 1 >= len(own) or not own[place] < frame < own[place + 1]:
            continue
        before, after = stated[own[place]], stated[own[place + 1]]
        if before.box is None:
            continue
        # an object that goes out of sight stays where it was until then
        end = after.box or before.box
        share = (frame - before.frame) / (after.frame - before.frame)
        box = [a + (b - a) * share for a, b in zip(before.box, end, strict=True)]
        result.append(TrackBox(frame, box, before.crowd, False, made=True))
    return sorted(result)
