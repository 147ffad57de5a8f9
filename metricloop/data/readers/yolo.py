"""YOLO: `data.yaml` with class names and the folders or lists of each split, and one text file per picture.

Labels lie beside the pictures or where the last `/images/` of the path reads `/labels/`. A line is a class number and
either centre and size, or a polygon (its bounding box is taken), all as shares of the picture as shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from metricloop.data.formats.source import (  # fmt: skip
    SPLITS,
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    absolute,
    is_file,
    list_pictures,
    make_record,
)


def find_yolo(source: Path) -> Path | None:
    """The YAML file of a source: the file itself, or the first file in its folder that names classes and pictures."""
    files = [source] if source.is_file() else [source / "data.yaml", *sorted(source.glob("*.y*ml"))]
    for path in files:
        if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
            content = _parse(path)
            if "names" in content and any(key in content for key in SPLITS):
                return path
    return None


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(errors="replace"))
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def read_yolo(source: Path) -> Source:
    """Read the data set that a data.yaml (or the folder holding it) describes.

    A picture without a label file counts as background, by the rules of the format, and is listed.
    Errors: SourceError when no picture is found.
    """
    path = find_yolo(source)
    if path is None:
        raise SourceError(f"{source}: no YAML file with the keys `names` and `train`, `val` or `test`")
    content = _parse(path)
    names = content["names"]
    try:
        numbered = {int(k): str(v) for k, v in (names.items() if isinstance(names, dict) else enumerate(names))}
    except (TypeError, ValueError):
        raise SourceError(f"{path}: `names` must be a list, or number: name, found {names!r}") from None
    labels = {number: label for label, number in enumerate(sorted(numbered))}
    problems: list[Problem] = []
    records: list[Record] = []
    label_files: set[Path] = set()
    for key in (key for key in SPLITS if content.get(key)):
        stated = content[key] if isinstance(content[key], list) else [content[key]]
        for picture in _pictures(path, content.get("path"), [str(item) for item in stated], problems):
            file = label_file(picture)
            label_files.add(file)
            rows = _read_file(file, labels, picture, problems)
            records.append(make_record(picture, rows, split=SPLITS[key], relative=True))
    if not records:
        reasons = "; ".join(f"{p.file}: {p.problem}" for p in problems[:5])
        raise SourceError(f"{path}: no picture found in any of its splits. {reasons}")
    for folder in sorted({file.parent for file in label_files if file.parent.is_dir()}):
        for file in sorted(folder.glob("*.txt")):
            if absolute(file) not in label_files and file.name != "classes.txt" and _is_label(file):
                problems.append(Problem(str(file), "labels without picture", "left out"))
    return Source("yolo", tuple(numbered[number] for number in sorted(numbered)), tuple(records), tuple(problems))


def label_file(picture: Path) -> Path:
    """The path of the label file of a picture."""
    head, found, tail = picture.as_posix().rpartition("/images/")
    return Path(f"{head}/labels/{tail}" if found else picture).with_suffix(".txt")


def _is_label(file: Path) -> bool:
    """Whether a text file without picture holds labels; it may also be notes or a list."""
    first = file.read_text(errors="replace").split(maxsplit=1)
    return not first or first[0].replace(".", "", 1).isdigit()


def _pictures(path: Path, base: Any, stated: list[str], problems: list[Problem]) -> list[Path]:
    """The pictures of one split: folders (with what lies below), lists, or single files."""
    bases = [path.parent / str(base)] if base else []
    bases.append(path.parent)
    found: list[Path] = []
    for name in stated:
        # exports often say ../train/images although the folder lies beside data.yaml
        options = [folder / variant for variant in (name, name.removeprefix("../")) for folder in bases]
        place = next((option for option in options if option.exists()), None)
        if place is None:
            problems.append(Problem(str(absolute(options[0])), "part of the data set does not exist", "left out"))
        elif place.is_dir():
            found += [f for folder in [place, *sorted(p for p in place.rglob("*") if p.is_dir())]
                      for f in list_pictures(folder)]  # fmt: skip
        elif place.suffix == ".txt":
            for line in filter(None, map(str.strip, place.read_text(errors="replace").splitlines())):
                picture = next((f / line for f in [place.parent, *bases] if is_file(f / line)), None)
                if picture is None:
                    problems.append(Problem(str(place), "listed picture does not exist", f"left out ({line})"))
                else:
                    found.append(absolute(picture))
        else:
            found.append(absolute(place))
    return found


def _read_file(
    file: Path, labels: dict[int, int], picture: Path, problems: list[Problem]
) -> list[tuple[list[float], int, bool]]:
    """Rows of (xyxy as shares, label, False); a line that cannot be read is listed and dropped."""
    if not file.is_file():
        problems.append(Problem(str(picture), "no label file", "kept as a picture without objects"))
        return []
    rows = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            kind, *values = [float(word) for word in words]
        except ValueError:
            kind, values = float("nan"), []
        if not (len(values) == 4 or (len(values) >= 6 and len(values) % 2 == 0)) or kind != kind:
            problems.append(Problem(str(file), "line is not a label", f"dropped (line {number}: {line[:60]})"))
        elif kind not in labels:
            problems.append(Problem(str(file), "unknown class", f"dropped (line {number}, class {words[0]})"))
        else:
            rows.append((_corners(values), labels[int(kind)], False))
    return rows


def _corners(values: list[float]) -> list[float]:
    """xyxy of centre and size, or of a polygon's points."""
    if len(values) == 4:
        x, y, w, h = values
        return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    return [min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])]


FORMAT = Format(
    sign="a YAML file with `names` and `train`, `val` or `test`",
    find=find_yolo,
    read=lambda source, categories: read_yolo(source),
    place=20,
)
