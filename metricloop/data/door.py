"""Open the files of a data set, which strangers may have made: regular files of bounded size, and nothing outside.

A named pipe or a device would block for ever or never end; a link may lead to somebody's private files. A path that
stands for a URL (`urls`) is fetched; then errors are those of `remote`, too. A path into a tar or a Parquet file means
what is packed there (`packed`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from metricloop.data.urls import is_url

if TYPE_CHECKING:
    from metricloop.data.packed import Packed

Got = TypeVar("Got")
MB = 1 << 20
TEXT = 64 * MB  # most bytes of a label file, list, YAML or XML file
TABLE = 4096 * MB  # of an annotation file that holds a whole data set
PICTURE = 1024 * MB  # of a picture or mask

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


class DoorError(OSError):
    """A file that is not opened; the message says why, without its name and without its contents."""


class AwayError(OSError):
    """A server cannot be reached, or refuses; the message names the URL and what to do."""


class MissingPackageError(RuntimeError):
    """What reads this kind of URL is not installed; the message says how to install it."""


def read_bytes(
    path: Path | str, roots: Sequence[str] | None = None, limit: int = PICTURE, sha256: str | None = None
) -> bytes:
    """The bytes of a regular file. roots: real paths of the folders it must lie in, links followed; None: anywhere.

    sha256: the hash of the bytes, where it is known: a file at a URL that was fetched before is then not asked for.
    Errors: DoorError with the reason in words.
    """
    if is_url(path):
        from metricloop.data import remote

        return remote.read(_admitted(path, roots), limit, sha256)
    if (inside_of := _packed(path)) and inside_of[1]:
        return _contents(*inside_of, roots).read(inside_of[1], limit, lambda: _open(inside_of[0], None))
    with _open(path, roots) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise DoorError(f"{size / MB:.0f} MB; at most {limit // MB} MB are read")
        try:
            return _read(stream, limit)
        except OSError as error:
            raise DoorError(reason(error)) from None


def read_head(path: Path | str, roots: Sequence[str] | None, size: int) -> bytes:
    """The first bytes of a regular file, of any size. Errors: DoorError."""
    if is_url(path):
        from metricloop.data import remote

        return remote.head(_admitted(path, roots), size)
    if (inside_of := _packed(path)) and inside_of[1]:
        return read_bytes(path, roots)[:size]
    with _open(path, roots) as stream:
        try:
            return stream.read(size)
        except OSError as error:
            raise DoorError(reason(error)) from None


def bring(files: Iterable[tuple[Path, str]]) -> None:
    """Fetch the files at URLs among some that will be read soon, many at a time. files: paths and hashes.

    Errors: AwayError, MissingPackageError.
    """
    far = [file for file in files if is_url(file[0])]
    if far:
        from metricloop.data import remote

        remote.bring(far)


def use_file(path: Path | str, what: Callable[[IO[bytes]], Got], roots: Sequence[str] | None = None) -> Got:
    """Open a regular file, call `what` with it, and return the result. For files that are too large to be read at once;
    not for one that is packed in another file. Errors: DoorError.
    """
    if is_url(path):
        from metricloop.data import remote

        return remote.use(_admitted(path, roots), what)
    with _open(path, roots) as stream:
        return what(stream)


def size_of(path: Path | str, sha256: str | None = None) -> int:
    """The bytes of a file. sha256: of its content, where known. Errors: OSError."""
    return os.stat(path).st_size if stands_alone(path) else len(read_bytes(path, sha256=sha256))


def stands_alone(path: Path | str) -> bool:
    """Whether links and other programs can use a path: it is neither a URL nor packed in another file."""
    return not is_url(path) and (_packed(path) or ("", ""))[1] == ""


def exists(path: Path | str) -> bool:
    """Whether a file or folder is there. Errors: those of `remote`, for a URL."""
    return bool(_kind(path))


def is_dir(path: Path | str) -> bool:
    """Whether a path is a folder, or a tar or zip, which are read like one. Errors: as of `exists`."""
    return _kind(path) == "folder"


def is_file(path: Path | str) -> bool:
    """Whether a path is a file. Errors: as of `exists`."""
    return _kind(path) == "file"


def names_in(folder: Path | str) -> list[str]:
    """The names of what a folder holds, in any order. Errors: OSError."""
    if is_url(folder):
        from metricloop.data import remote

        return list(remote.listing(folder).states)
    if inside_of := _packed(folder):
        return list(_contents(*inside_of).names.get(inside_of[1], ()))
    return os.listdir(folder)


def entries_of(folder: Path | str, roots: Sequence[str] | None = None) -> dict[str, bool] | None:
    """The names in a folder that is packed, or is a tar itself, and whether each is a folder; None for another folder.

    Errors: DoorError.
    """
    inside_of = None if is_url(folder) else _packed(folder)
    return None if inside_of is None else _contents(*inside_of, roots).names.get(inside_of[1], {})


def _kind(path: Path | str) -> str:
    if is_url(path):
        from metricloop.data import remote

        return remote.kind(path)
    if os.path.isdir(path):
        return "folder"
    if inside_of := _packed(path):
        from metricloop.data.packed import PARQUET, kind

        if not inside_of[1] and inside_of[0].lower().endswith(PARQUET):
            return "file"
        try:
            return kind(_contents(*inside_of), inside_of[1])
        except DoorError:
            return "" if inside_of[1] else "file"
    return "file" if os.path.isfile(path) else "something else" if os.path.exists(path) else ""


def _packed(path: Path | str) -> tuple[str, str] | None:
    from metricloop.data.packed import parts_of

    return parts_of(path)


def _contents(file: str, member: str, roots: Sequence[str] | None = None) -> Packed:
    """What a packed file holds; member: what is wanted of it, which must lie in the roots. Errors: DoorError."""
    from metricloop.data.packed import packed_in

    if roots is not None and not inside(os.path.join(os.path.realpath(file), member).rstrip("/"), roots):
        raise DoorError(OUTSIDE)
    return packed_in(file)


def _admitted(path: Path | str, roots: Sequence[str] | None) -> str:
    """A path that stands for a URL, without `..`. Errors: DoorError where it lies outside the roots."""
    plain = os.path.abspath(path)
    if roots is not None and not inside(plain, roots):
        raise DoorError(OUTSIDE)
    return plain


def _open(path: Path | str, roots: Sequence[str] | None) -> FileIO:
    try:
        real = os.path.realpath(path, strict=True)
        if roots is not None and not inside(real, roots):
            raise DoorError(OUTSIDE)
        # a pipe without a writer would block; what realpath resolved must not be a link by now
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except DoorError:
        raise
    except (OSError, ValueError) as error:
        raise DoorError(reason(error)) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise DoorError(f"not a file but {KINDS.get(stat.S_IFMT(mode), 'something else')}")
    return FileIO(descriptor, "rb")


def _read(stream: FileIO, limit: int) -> bytes:
    """All bytes; at most `limit`, also of a file that grows meanwhile."""
    parts, left = [], limit
    while left > 0 and (data := stream.read(min(left, 256 * MB))):
        parts.append(data)
        left -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


OUTSIDE = "it leads out of the data set's folder; set data.outside if that is meant"


def inside(real: str, roots: Sequence[str]) -> bool:
    """Whether a real path is one of the roots or lies below one."""
    return any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots)


def reason(error: OSError | ValueError) -> str:
    """Why a path cannot be used, in words and without the path."""
    if isinstance(error, FileNotFoundError):
        return "it does not exist, or is a link that leads nowhere"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "no valid path"


def text_of(data: bytes) -> tuple[str, str]:
    """The text of a file, and a note if its encoding is guessed ("" otherwise). A byte order mark decides."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), ""
    if len(data) >= 4 and data[:4].count(0) == 2 and 0 in (data[0], data[1]):  # ASCII in two bytes, without a mark
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
        return data.decode(encoding, errors="replace"), f"read as {encoding}"
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "not UTF-8; read as Windows-1252"
