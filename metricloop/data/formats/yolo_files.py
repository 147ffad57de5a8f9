"""What describes a YOLO data set: a YAML file, darknet's obj.data, or a list of classes beside images and labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop.data import door
from metricloop.data.formats.paths import LONGEST, parts_of
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import SourceError
from metricloop.data.formats.split_names import SPLITS
from metricloop.data.formats.values import id_of, name_of
from metricloop.data.formats.yaml_text import YamlError, parse_yaml
from metricloop.data.pictures import SUFFIXES

YAML = (".yaml", ".yml")
CLASS_LISTS, NAMES = ("classes.txt", "_darknet.labels"), ".names"  # darknet's is obj.names, or any other name
_YOLO_WORDS = (
    re.compile(r"^\s*[\"']?names[\"']?\s*:", re.MULTILINE),
    re.compile(rf"^\s*[\"']?({'|'.join(SPLITS)})[\"']?\s*:", re.MULTILINE),
)


@dataclass(frozen=True)
class Description:
    """classes: (number, name); parts: key -> stated folders, lists or pictures (key "": splits follow from folders);
    path: the folder they start from, as stated; joints: columns of keypoints, None without.
    """

    file: Path
    classes: list[tuple[str, str]]
    parts: dict[str, list[str]]
    path: str | None = None
    joints: int | None = None


def find_yolo(place: Place) -> Path | None:
    """The describing file: the source itself, or the first in its folder that names classes and pictures."""
    folder = place.source
    if place.is_file(folder):
        files = [folder]
    else:
        files = [path for path in (folder / "data.yaml", *place.files(folder, (*YAML, ".data"))) if place.is_file(path)]
        files.sort(key=lambda path: path.suffix.lower() == ".data")  # data.yaml, other YAML files, darknet
    for path in files:
        if path.suffix.lower() in YAML and _is_yolo_yaml(place, path):
            return path
        if path.suffix.lower() == ".data" and {"names", "train"} <= set(_darknet(place, path)):
            return path
    return _class_list(place) if place.is_dir(folder) else None


def _is_yolo_yaml(place: Place, path: Path) -> bool:
    try:
        text = place.read_text(path)
        content = parse_yaml(text)
    except door.DoorError:
        return False
    except YamlError:  # read_description says what is wrong with it
        return all(words.search(text) for words in _YOLO_WORDS)
    return isinstance(content, dict) and "names" in content and any(key in content for key in SPLITS)


def _darknet(place: Place, path: Path) -> dict[str, str]:
    """The lines `key = value` of obj.data."""
    try:
        lines = place.read_text(path, door.MB).splitlines()
    except door.DoorError:
        return {}
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _class_list(place: Place) -> Path | None:
    """A list of classes beside pictures with YOLO labels."""
    found = next(_class_lists(place), None)
    if found is None:
        return None
    texts = [p for p in place.walk(place.source, [".txt"], deepest=3) if not is_class_list(p)][:50]
    labelled = any(looks_like_labels(place, path) for path in texts)
    return found if labelled and place.walk(place.source, SUFFIXES, deepest=4) else None


def _class_lists(place: Place) -> Iterator[Path]:
    """The lists of classes of a data set, those of the whole first, then those in the folders of its splits."""
    names = place.entries(place.source).items()
    splits = sorted(place.source / name for name, is_dir in names if is_dir and name.lower() in SPLITS)
    for folder in (place.source, *splits):
        for one in (folder, folder / "labels"):
            yield from (path for name in CLASS_LISTS if place.is_file(path := one / name))
            yield from place.files(one, [NAMES]) if place.is_dir(one) else ()


def is_class_list(path: Path) -> bool:
    """Whether a file that names the classes has this name."""
    return path.name in CLASS_LISTS or path.suffix.lower() == NAMES


def looks_like_labels(place: Place, path: Path) -> bool:
    """Whether a text file may hold labels: it is empty, or begins with a number; it may also be notes or a list."""
    first = door.text_of(place.head(path, 200))[0].split(maxsplit=1)
    return not first or first[0].replace(".", "", 1).isdigit()


def read_description(place: Place, file: Path) -> Description:
    """Errors: SourceError when the file cannot be used."""
    suffix = file.suffix.lower()
    if suffix == ".data":
        content = _darknet(place, file)
        parts = {key: [value] for key, value in content.items() if key in SPLITS and value}
        return Description(file, _classes(place, file, content.get("names")), parts)
    if suffix not in YAML:
        images, classes = place.source / "images", _classes(place, file, file.name)
        if file.parent not in (place.source, place.source / "labels"):  # each split has its own
            other = next((path for path in _class_lists(place) if _classes(place, path, path.name) != classes), None)
            if other:
                raise SourceError(
                    f"{file} and {other} list different classes, so a number means two things; if one is right for all "
                    f"splits, copy it to {place.source / CLASS_LISTS[0]}"
                )
        return Description(file, classes, {"": ["images" if place.is_dir(images) else "."]})
    try:
        content = parse_yaml(place.read_text(file))
    except (YamlError, door.DoorError) as error:
        raise SourceError(f"{file} cannot be read: {error}") from None
    parts = {key: texts for key in SPLITS if (texts := _texts(content.get(key)))}
    path = content.get("path")
    joints = _joints(content.get("kpt_shape"))
    return Description(
        file, _classes(place, file, content["names"]), parts, path if isinstance(path, str) else None, joints
    )


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item.lower() not in ("null", "none")]


def _joints(shape: Any) -> int | None:
    numbers = [int(item) for item in shape if str(item).isdigit()] if isinstance(shape, list) else []
    return numbers[0] * numbers[1] if len(numbers) == 2 and max(numbers) < 10_000 else None


def _classes(place: Place, file: Path, names: Any) -> list[tuple[str, str]]:
    """(number, name), by number."""
    if isinstance(names, str):
        names = _listed_names(place, file, names)
    pairs = list(names.items()) if isinstance(names, dict) else list(enumerate(names or ()))
    found = [(id_of(key), name_of(name)) for key, name in pairs]
    if not found or not all(key and key.isdigit() for key, _ in found):
        raise SourceError(f"{file}: `names` must be a list, or number: name, or a file with one class a line")
    return sorted([(key or "", name) for key, name in found], key=lambda pair: int(pair[0]))


def _listed_names(place: Place, file: Path, stated: str) -> list[str]:
    path = find_stated(place, [file.parent], stated, want_folder=False)
    if path is None:
        raise SourceError(
            f"{file}: `names` must be a list, or number: name, or a file with one class a line; {stated[:200]!r} is no "
            "such file"
        )
    try:
        lines = [line.strip() for line in place.read_text(path).splitlines()]
    except door.DoorError as error:
        raise SourceError(f"{path} cannot be read: {error}") from None
    return lines[: len(lines) - next((n for n, line in enumerate(reversed(lines)) if line), len(lines))]


def find_stated(place: Place, bases: list[Path], stated: str, want_folder: bool | None = None) -> Path | None:
    """The folder or file that a stated path leads to: as it stands from one of the bases, else by its longest tail.

    Exports often say ../train/images although the folder lies beside data.yaml, or the path on another computer.
    """
    text = stated.strip().replace("\\", "/")
    if len(text) > LONGEST:
        return None
    parts = parts_of(text)
    options = [base / variant for variant in dict.fromkeys((text, text.removeprefix("../"))) for base in bases]
    options += [base.joinpath(*parts[start:]) for start in range(len(parts)) for base in bases]
    for option in options:
        if "\0" in str(option):
            continue
        is_dir = place.is_dir(option)
        if (want_folder is not False and is_dir) or (want_folder is not True and not is_dir and place.is_file(option)):
            return Path(re.sub("^//", "/", str(option.absolute().parent / option.name)))
    return None
