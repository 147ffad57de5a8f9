"""YOLO: `data.yaml` with class names and the folders or lists of each split, and one text file per picture.

Labels lie beside the pictures or where the last `/images/` of the path reads `/labels/`. A line is a class number and
either centre and size, or a polygon (its bounding box is taken), all as shares of the picture as shown.
"""

from __future__ import annotations

import os
from pathlib import Path

from metricloop.data import door
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.label_pictures import UNSURE
from metricloop.data.formats.picture_index import Wanted, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import reasons
from metricloop.data.formats.source import (  # fmt: skip
    SPLITS,
    Format,
    Problem,
    Source,
    SourceError,
    make_record,
    split_of,
)
from metricloop.data.formats.yolo_files import (  # fmt: skip
    Description,
    find_stated,
    find_yolo,
    is_class_list,
    looks_like_labels,
    read_description,
)
from metricloop.data.formats.yolo_labels import LabelFiles, shared
from metricloop.data.formats.yolo_lines import Legend, read_lines
from metricloop.data.pictures import SUFFIXES


def read_yolo(place: Place) -> Source:
    """Read the data set that a data.yaml (or the folder holding it) describes.

    A picture without a label file counts as background, by the rules of the format, and is listed.
    Errors: SourceError when no picture is found.
    """
    path = find_yolo(place)
    if path is None:
        raise SourceError(f"{place.source}: no YAML file with the keys `names` and `train`, `val` or `test`")
    described = read_description(place, path)
    problems: list[Problem] = []
    class_names, labels = class_names_of([(path, described.classes)], problems)
    legend = Legend(labels[path], frozenset(class_names), described.joints)
    files = LabelFiles(place, place.folder)
    parts = [
        (key, picture)
        for key, stated in described.parts.items()
        for picture in _pictures(place, described, key, stated, problems)
    ]
    label_files = {picture: files.of(picture) for picture in dict.fromkeys(picture for _, picture in parts)}
    doubtful = shared(label_files.items())
    for shared_file, pictures in doubtful.items():
        names = " and ".join(picture.name for picture in pictures)
        why = f"left out ({shared_file.name} may belong to {names})"
        problems += [Problem(str(picture), UNSURE, why) for picture in pictures]
    problems += files.problems()
    rows = {
        picture: _read_file(place, file, picture, legend, files, problems)
        for picture, file in label_files.items()
        if file not in doubtful
    }
    # also where label files were looked for in vain: their names show why
    folders = {(file or files.tried(picture)[0]).parent for picture, file in label_files.items()}
    problems += _without_picture(place, folders, {file for file in label_files.values() if file})
    records = []
    for key, picture in parts:
        own = rows.get(picture)
        if own is not None:
            split = SPLITS[key] if key else split_of(*picture.parent.parts[len(place.base.parts) :])
            origin = f"{path}: {key}" if key else str(picture.parent)
            records.append(make_record(picture, own, split=split, relative=True, origin=origin))
    if not records:
        raise SourceError(f"{path}: no picture found in any of its splits. {reasons(problems)}", problems)
    return Source("yolo", class_names, tuple(records), tuple(problems))


def _without_picture(place: Place, folders: set[Path], used: set[Path]) -> list[Problem]:
    return [
        Problem(str(file), "labels without picture", "left out")
        for folder in sorted(folders)
        for file in place.files(folder, [".txt"])
        if file not in used and not is_class_list(file) and looks_like_labels(place, file)
    ]


def _pictures(place: Place, described: Description, key: str, stated: list[str], problems: list[Problem]) -> list[Path]:
    """The pictures of one split: folders (with what lies below), lists, or single files."""
    bases = [described.file.parent]
    if described.path and (base := find_stated(place, bases, described.path, want_folder=True)):
        bases.insert(0, base)
    if is_class_list(described.file):
        bases = [place.source]
    found: list[Path] = []
    for name in stated:
        part = find_stated(place, bases, name)
        direct = Path(os.path.abspath(bases[0] / name.replace("\\", "/"))) if "\0" not in name else bases[0]
        if part is None:
            outside = os.path.exists(direct) and not place.admits(direct)
            why = f"left out ({door.OUTSIDE})" if outside else "left out"
            problems.append(Problem(str(direct), "part of the data set does not exist", why))
            continue
        part = Path(os.path.abspath(part))
        if os.path.isabs(name) and part != direct:
            action = f"taken as {place.relative(part)}"
            problems.append(Problem(str(direct), "part of the data set lies elsewhere", action))
        if place.is_dir(part):
            own = place.walk(part, SUFFIXES)
            if not own:
                action = f"left out ({key or 'all'}: {place.relative(part)})"
                problems.append(Problem(str(part), "part of the data set holds no pictures", action))
            found += own
        elif part.suffix.lower() == ".txt":
            found += _listed(place, part, [part.parent, *bases], problems)
        else:
            found.append(part)
    return found


def _listed(place: Place, file: Path, near: list[Path], problems: list[Problem]) -> list[Path]:
    """The pictures of a list, one a line."""
    try:
        lines = [line.strip().strip("\"'") for line in place.read_text(file).splitlines()]
    except door.DoorError as error:
        problems.append(Problem(str(file), "list cannot be read", f"left out ({error})"))
        return []
    wanted = {
        row: Wanted(line, file, tuple(near)) for row, line in enumerate(lines) if line and not line.startswith("#")
    }
    pictures = match_pictures(place, wanted, problems)
    found: list[Path] = []
    for row, entry in wanted.items():
        if row in pictures:
            found.append(pictures[row])
            continue
        is_picture = os.path.splitext(entry.name)[1].lower() in SUFFIXES
        folder = None if is_picture else find_stated(place, near, entry.name, want_folder=True)
        if folder is not None:
            found += place.walk(folder, SUFFIXES)
        else:  # a line that names no picture may be anything, so it is not repeated
            told = entry.name[:200] if is_picture else f"line {row + 1}"
            problems.append(Problem(str(file), "listed picture does not exist", f"left out ({told})"))
    return found


def _read_file(
    place: Place, file: Path | None, picture: Path, legend: Legend, files: LabelFiles, problems: list[Problem]
) -> list[tuple[list[float], int, bool]] | None:
    """Rows of (xyxy as shares, label, False), None if the file cannot be read; what cannot be read is listed."""
    if file is None:
        tried = " and ".join(place.relative(path) for path in files.tried(picture)[:2])
        action = f"kept as a picture without objects; looked for {tried}"
        problems.append(Problem(str(picture), "no label file", action))
        return []
    try:
        text = place.read_text(file)
    except door.DoorError as error:
        problems.append(Problem(str(file), "label file cannot be read", f"left out with its picture ({error})"))
        return None
    rows, faults, repeated = read_lines(text, legend)
    problems += [Problem(str(file), fault.kind, fault.why) for fault in faults]
    if repeated:
        problems.append(Problem(str(file), "doubled label line", f"kept once ({repeated} lines)"))
    return rows


FORMAT = Format(
    sign="a YAML file with `names` and `train`, `val` or `test`, or classes.txt or a .names file beside the images",
    find=find_yolo,
    read=lambda place, categories: read_yolo(place),
    place=20,
)
