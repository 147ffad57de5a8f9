"""Common formats of detection data sets: recognise one, read it into a `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metricloop.data.formats.coco import find_coco, read_coco
from metricloop.data.formats.source import Problem, Record, Source, SourceError, absolute, keep_categories
from metricloop.data.formats.voc import find_voc, read_voc
from metricloop.data.formats.yolo import find_yolo, read_yolo
from metricloop.data.formats.ytvos import find_ytvos, read_ytvos

__all__ = ["Problem", "Record", "Source", "SourceError", "read", "recognise"]

# In the order they are tried: the more telling signs first.
FORMATS = {
    "ytvos": (find_ytvos, "meta.json beside Annotations/ and JPEGImages/"),
    "yolo": (find_yolo, "a YAML file with `names` and `train`, `val` or `test`"),
    "coco": (find_coco, "a COCO JSON file, here, in annotations/ or in a folder per split"),
    "voc": (find_voc, "VOC XML files, here or up to two folders down"),
}


def recognise(source: Path | str) -> str:
    """The name of the format of a file or folder.

    Errors: SourceError saying what was looked for and what was found.
    """
    source = Path(source)
    if not source.exists():
        raise SourceError(f"{source.absolute()} does not exist; set data.source to a label file or a folder")
    for name, (find, _) in FORMATS.items():
        if find(source):
            return name
    looked = "; ".join(f"{name}: {sign}" for name, (_, sign) in FORMATS.items())
    raise SourceError(f"{source.absolute()} holds no known format. Looked for {looked}. Found {_contents(source)}.")


def _contents(source: Path) -> str:
    if source.is_file():
        return f"a file of {source.stat().st_size} bytes"
    names = sorted(path.name + "/" * path.is_dir() for path in source.iterdir())
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "an empty folder"


def read(source: Path | str, format: str = "auto", categories: Sequence[str] = ()) -> Source:
    """Read a data set; `categories`: the classes to keep, in this order (none: all).

    Errors: SourceError when nothing usable is there.
    """
    source = absolute(Path(source))
    found = recognise(source)
    name = found if format == "auto" else format
    if not FORMATS[name][0](source):
        raise SourceError(f"{source} is not {name} ({FORMATS[name][1]}); it looks like {found}")
    if name == "ytvos":
        result = read_ytvos(source, categories)
    else:
        result = {"coco": read_coco, "voc": read_voc, "yolo": read_yolo}[name](source)
    return keep_categories(result, categories) if categories else result
