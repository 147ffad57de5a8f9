"""CVAT XML 1.1: `annotations.xml` of a task or a project, with images and their shapes, or with the tracks of a video.

Boxes are corners in pixels, from 0. Of polygons, masks, ellipses, cuboids and turned boxes the box around them is
taken. Shapes with an attribute `is_crowd` (or iscrowd, crowd, difficult) that is true are crowd regions. The pictures
of a track's frames are called frame_000000 and so on, as CVAT names them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from metricloop.data import door
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.cvat_shapes import NO_REGIONS, SHAPES, is_crowd, shape_box
from metricloop.data.formats.cvat_tracks import track_boxes
from metricloop.data.formats.picture_index import Wanted, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import left_out, reasons
from metricloop.data.formats.source import (  # fmt: skip
    SPLITS,
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    make_record,
    unlabelled,
)
from metricloop.data.formats.values import id_of, name_of, number, size_of
from metricloop.data.formats.xml_text import XmlError, parse_xml, text_of_xml

_ROOT = re.compile(r"<annotations[\s>]")
_INSIDE = re.compile(r"<(version|meta|image|track)[\s>]")


@dataclass
class _Entry:
    """One picture as the file states it. rows: (box, name of the class, crowd)."""

    path: Path
    name: str
    width: int | None
    height: int | None
    split: str | None = None
    group: str | None = None
    rows: list[tuple[list[float], str, bool]] = field(default_factory=list)


def find_cvat(place: Place) -> list[Path]:
    """The CVAT files of a source: the file itself, or those of its folder, at most two levels down."""
    if place.is_file(place.source):
        return [place.source] if place.source.suffix.lower() == ".xml" and _is_cvat(place, place.source) else []
    return [path for path in place.walk(place.source, [".xml"], deepest=2) if _is_cvat(place, path)]


def _is_cvat(place: Place, path: Path) -> bool:
    head = text_of_xml(place.head(path, 4096))
    return bool(_ROOT.search(head) and _INSIDE.search(head))


def read_cvat(place: Place) -> Source:
    """Read every CVAT file of a place. Errors: SourceError when none names a picture that can be used."""
    problems: list[Problem] = []
    files = find_cvat(place)
    roots = {path: root for path in files if (root := _parse(place, path, problems)) is not None}
    entries = {
        (path, *key): entry for path, root in roots.items() for key, entry in _entries(path, root, problems).items()
    }
    wanted = {key: Wanted(entry.name, entry.path, _near(entry.path)) for key, entry in entries.items()}
    pictures = match_pictures(place, dict(wanted), problems)
    declared = {path: _declared(root) for path, root in roots.items()}
    for entry in entries.values():
        declared[entry.path] += [name for _, name, _ in entry.rows]
    pairs = [(path, [(name, name) for name in dict.fromkeys(names)]) for path, names in declared.items()]
    class_names, labels = class_names_of(pairs, problems)
    records: list[Record] = []
    for key, entry in entries.items():
        if key not in pictures:
            where = str(entry.path.parent / entry.name)
            problems.append(Problem(where, "labels without picture", left_out(len(entry.rows))))
            continue
        rows = [(box, labels[entry.path][name], crowd) for box, name, crowd in entry.rows]
        size = {"width": entry.width, "height": entry.height, "origin": str(entry.path)}
        records.append(make_record(pictures[key], rows, split=entry.split, group=entry.group, **size))
    if not records:
        message = (
            f"{place.source}: no picture with labels can be read from {len(files)} CVAT file(s). {reasons(problems)}"
        )
        raise SourceError(message, problems)
    problems += unlabelled(place, (record.file.parent for record in records), [record.file for record in records])
    return Source("cvat", class_names, tuple(records), tuple(problems))


def _parse(place: Place, path: Path, problems: list[Problem]) -> Element | None:
    try:
        root, note = parse_xml(place.read_bytes(path, door.TABLE))
    except (XmlError, door.DoorError, MemoryError) as error:
        problems.append(Problem(str(path), "annotation file cannot be read", f"left out ({error or 'no memory left'})"))
        return None
    if note:
        problems.append(Problem(str(path), "label file in another encoding", note))
    return root


def _declared(root: Element) -> list[str]:
    """The classes of all tasks in the file; no tags, which are about whole images, and no parts of skeletons."""
    labels = [label for meta in root.iter("meta") for label in meta.iter("label")]
    shapes = [label for label in labels if label.findtext("type") != "tag" and not label.findtext("parent")]
    return [name for label in shapes if (name := name_of(label.findtext("name") or ""))]


def _near(path: Path) -> tuple[Path, ...]:
    folders = [path.parent / "images", path.parent]
    if path.parent.name.lower().startswith("annotation"):
        folders += [path.parent.parent / "images", path.parent.parent]
    return tuple(folders)


def _entries(path: Path, root: Element, problems: list[Problem]) -> dict[tuple[str, ...], _Entry]:
    """The pictures of a file: its images, then the frames of its tracks."""
    entries: dict[tuple[str, ...], _Entry] = {}
    odd: Counter[tuple[str, str]] = Counter()
    for place, image in enumerate(root.iter("image")):
        name = (image.get("name") or "").strip()
        if not name:
            problems.append(Problem(str(path), "image entry without file name", f"left out (id {image.get('id')})"))
            continue
        split = SPLITS.get((image.get("subset") or "").strip().lower())
        entry = _Entry(path, name, size_of(image.get("width")), size_of(image.get("height")), split)
        entries["image", str(place)] = entry
        for shape in image:
            _take(shape, entry, odd)
    _take_tracks(path, root, entries, odd)
    for (problem, action), count in sorted(odd.items()):
        problems.append(Problem(str(path), problem, f"{action} ({count})"))
    return entries


def _take(shape: Element, entry: _Entry, odd: Counter[tuple[str, str]]) -> None:
    """Add a shape of an image to its entry."""
    name = name_of(shape.get("label") or "")
    if shape.tag in NO_REGIONS:
        odd[f"{shape.tag} instead of a box", f"dropped, {name}"] += 1
    elif shape.tag in SHAPES:
        box, turned = shape_box(shape)
        if not name or box is None:
            odd["unknown class" if not name else "box is not four numbers", f"dropped, {entry.name}"] += 1
            return
        if turned:
            odd["turned box", f"the box around it is taken, {name}"] += 1
        entry.rows.append((box, name, is_crowd(shape)))


def _take_tracks(
    path: Path, root: Element, entries: dict[tuple[str, ...], _Entry], odd: Counter[tuple[str, str]]
) -> None:
    """Add the frames of all tracks; a frame in which nothing is in sight is a picture without objects."""
    tracks = list(root.iter("track"))
    size = root.find("meta//original_size")
    width, height = (size_of(size.findtext(side) if size is not None else None) for side in ("width", "height"))
    frames: dict[str, set[int]] = {}
    for track in tracks:
        frames.setdefault(_task(track), set()).update(_frames(track))
    for track in tracks:
        task, name = _task(track), name_of(track.get("label") or "")
        found, unread = track_boxes(track, frames[task])
        odd.update({("box is not four numbers", "dropped, track"): unread} if unread else {})
        for one in found:
            key = ("frame", task, str(one.frame))
            group = f"{path.name} {task}".strip()
            picture = f"frame_{one.frame:06d}.png"
            entry = entries.setdefault(key, _Entry(path, picture, width, height, group=group))
            if one.box is None:
                continue
            if not name:
                odd["unknown class", "dropped, track"] += 1
                continue
            if one.turned:
                odd["turned box", f"the box around it is taken, {name}"] += 1
            if one.made:
                odd["box between key frames", f"interpolated, {name}"] += 1
            entry.rows.append((one.box, name, one.crowd))


def _task(track: Element) -> str:
    return id_of(track.get("task_id")) or ""


def _frames(track: Element) -> set[int]:
    found = set()
    for shape in track:
        try:
            found.add(int(number(shape.get("frame"))))
        except (ValueError, OverflowError):
            continue
    return found


FORMAT = Format(
    sign="a CVAT XML file (<annotations>), here or up to two folders down",
    find=find_cvat,
    read=lambda place, categories: read_cvat(place),
    place=35,
)
