"""Find the picture files that a person means by files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import abspath, commonpath
from pathlib import Path

from metricloop.data.pictures import SUFFIXES


class NoPicturesError(ValueError):
    """There is nothing to look at; the message says what was given."""


def find_pictures(given: Sequence[Path], without: Path | None = None) -> list[Path]:
    """The files that are given, and all pictures in the folders that are given, at any depth; each once, in order.

    without: a folder whose files are left out, such as the one for the results.
    Errors: NoPicturesError when a path does not exist, or no picture is there.
    """
    found: dict[Path, None] = {}
    barred = without and without.resolve()
    for path in given:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file())
            found |= dict.fromkeys(file for file in inside if not barred or barred not in file.resolve().parents)
        elif path.exists():
            found[path] = None
        else:
            raise NoPicturesError(f"{path} does not exist; give pictures, or folders with pictures")
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise NoPicturesError(f"no pictures in {', '.join(map(str, given))}; looked for files ending in {kinds}")
    return list(found)


def short_names(files: Sequence[Path]) -> list[Path]:
    """The files relative to the deepest folder that holds them all, with no `..` in them."""
    places = [Path(abspath(file)) for file in files]
    home = Path(commonpath([place.parent for place in places]))
    return [place.relative_to(home) for place in places]
