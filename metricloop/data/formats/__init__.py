"""Read a detection data set in any known format: recognise the format, then read the files into a `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from metricloop.data import readers
from metricloop.data.formats.source import Format, Problem, Source, SourceError, absolute, keep_categories

__all__ = ["Problem", "Source", "SourceError", "read", "recognise"]


def formats() -> dict[str, Format]:
    """All formats by name, in the order in which they are tried: the most specific signs first."""
    found = {name: import_module(f"{readers.__name__}.{name}").FORMAT for name in readers.NAMES}
    return dict(sorted(found.items(), key=lambda item: (item[1].place, item[0])))


def recognise(source: Path | str) -> str:
    """The name of the format of a file or folder.

    Errors: SourceError with the signs of every format, and what the source holds.
    """
    source = Path(source)
    if not source.exists():
        raise SourceError(f"{source.absolute()} does not exist; set data.source to a label file or a folder")
    for name, format_ in formats().items():
        if format_.find(source):
            return name
    looked = "; ".join(f"{name}: {format_.sign}" for name, format_ in formats().items())
    raise SourceError(f"{source.absolute()} holds no known format. Looked for {looked}. Found {_contents(source)}.")


def _contents(source: Path) -> str:
    if source.is_file():
        return f"a file of {source.stat().st_size} bytes"
    names = sorted(path.name + "/" * path.is_dir() for path in source.iterdir())
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "an empty folder"


def read(source: Path | str, format: str = "auto", categories: Sequence[str] = ()) -> Source:
    """Read a data set; `categories`: the classes to keep, in this order (none: all).

    Errors: SourceError when the source has another format or holds nothing usable.
    """
    source = absolute(Path(source))
    found = recognise(source)
    name = found if format == "auto" else format
    chosen = formats()[name]
    if not chosen.find(source):
        raise SourceError(f"{source} is not {name} ({chosen.sign}); it looks like {found}")
    result = chosen.read(source, categories)
    return keep_categories(result, categories) if categories else result
