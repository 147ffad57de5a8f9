"""Read a detection data set in any known format: recognise the format, then read the files into a `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from metricloop.data import door, readers
from metricloop.data.formats.place import Place, base_of, roots_of, urls_of
from metricloop.data.formats.problem import reasons
from metricloop.data.formats.source import Format, Problem, Source, SourceError, absolute, keep_categories
from metricloop.data.urls import is_url, path_of, stated

__all__ = ["Problem", "Source", "SourceError", "matching", "read", "recognise"]


def formats() -> dict[str, Format]:
    """All formats by name, in the order in which they are tried: the most specific signs first."""
    found = {name: import_module(f"{readers.__name__}.{name.replace('-', '_')}").FORMAT for name in readers.NAMES}
    return dict(sorted(found.items(), key=lambda item: (item[1].place, item[0])))


def open_place(source: Path | str, root: Path | str | None = None, outside: bool | Sequence[str] = False) -> Place:
    """A source that can be read; root, outside: as in `read`. Errors: SourceError when it does not exist."""
    source = absolute(path_of(source))
    if not _there(source):
        raise SourceError(f"{stated(source)} does not exist; set data.source to a label file or a folder")
    own = [base_of(source), *([root] if root else [])]
    base, top = base_of(source), absolute(path_of(root)) if root else None
    above = top is not None and top in base.parents
    return Place(
        source,
        roots_of(own, outside),
        top=top if above else None,
        further=None if above or top == base else top,
        urls=urls_of(own, outside),
    )


def _there(source: Path) -> bool:
    """Errors: AwayError, MissingPackageError for a URL."""
    try:
        return door.exists(source)
    except door.AwayError:
        raise
    except (OSError, ValueError):
        return False


def recognise(source: Path | str, outside: bool | Sequence[str] = False) -> str:
    """The name of the format of a file or folder.

    Errors: SourceError with the signs of every format, and what the source holds.
    """
    return _recognise(open_place(source, outside=outside))


def matching(source: Path | str, outside: bool | Sequence[str] = False) -> list[str]:
    """All formats that a file or folder may have, the most likely first. Errors: SourceError if it does not exist."""
    place = open_place(source, outside=outside)
    return [name for name, format_ in formats().items() if format_.find(place)]


def _recognise(place: Place) -> str:
    for name, format_ in formats().items():
        if format_.find(place):
            return name
    looked = "; ".join(f"{name}: {format_.sign}" for name, format_ in formats().items())
    refused = reasons(_refused(place))
    raise SourceError(
        f"{place.source} holds no known format. Looked for {looked}. Found {_contents(place)}."
        + (f" Not opened: {refused}." if refused else ""),
        _refused(place),
    )


def _contents(place: Place) -> str:
    if not place.is_dir(place.source):
        try:
            door.entries_of(place.source)
        except door.DoorError as error:
            return f"a file that cannot be read: {error}"
        return "a file" if is_url(place.source) else f"a file of {place.source.stat().st_size} bytes"
    names = [name + "/" * is_dir for name, is_dir in place.entries(place.source).items()]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "an empty folder"


def read(
    source: Path | str,
    format: str = "auto",
    categories: Sequence[str] = (),
    *,
    root: Path | str | None = None,
    outside: bool | Sequence[str] = False,
) -> Source:
    """Read a data set; `categories`: the classes to keep, in this order (none: all).

    root: a folder above or apart from that of the source which holds its pictures. Nothing outside of these two is
    opened, unless `outside` is True, or names the folders in question.
    Errors: SourceError when the source has another format or holds nothing usable.
    """
    place = open_place(source, root, outside)
    name = _recognise(place) if format == "auto" else format
    chosen = formats()[name]
    if not chosen.find(place):
        raise SourceError(f"{place.source} is not {name} ({chosen.sign}); it looks like {_recognise(place)}")
    try:
        result = _admitted(place, chosen.read(place, categories))
    except SourceError as error:
        refused = _refused(place)
        told = f" Not opened: {reasons(refused)}." if refused else ""
        raise SourceError(f"{error}{told}", [*error.problems, *refused]) from None
    except RecursionError:
        raise SourceError(f"{place.source}: nested too deeply to be read as {name}", _refused(place)) from None
    return keep_categories(result, categories) if categories else result


def _admitted(place: Place, source: Source) -> Source:
    """The source without pictures that lie outside the folders that may be read, whatever the reader did."""
    kept = [record for record in source.records if place.admits(record.file)]
    dropped = [record for record in source.records if not place.admits(record.file)]
    problems = [Problem(str(r.file), "picture lies outside the data set's folder", "left out; see data.outside")
                for r in dropped]  # fmt: skip
    return replace(source, records=tuple(kept), problems=(*source.problems, *problems, *_refused(place)))


def _refused(place: Place) -> list[Problem]:
    """What the place did not open, as problems."""
    return [Problem(path, "file is not opened", f"left out ({why})") for path, why in sorted(place.refused.items())]
